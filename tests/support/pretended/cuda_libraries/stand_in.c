/* CUDA's libraries, as far as ONNX Runtime's provider needs them to believe in a GPU: device memory is
   host memory, copies copy, and kernels do nothing. One library for each macro. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_set(const char *name) {
    const char *value = getenv(name);
    return value && *value == '1';
}

static void *zeros(size_t size) {
    void *memory = NULL;
    if (posix_memalign(&memory, 512, size ? size : 1)) return NULL;
    return memset(memory, 0, size);
}

#ifdef DRIVER
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
#endif

#ifdef CUDART
enum { OUT_OF_MEMORY = 2, ILLEGAL_ADDRESS = 700, TO_HOST = 2 };

static int allocate(void **memory, size_t size) {
    if (is_set("STAND_IN_FULL")) return OUT_OF_MEMORY;
    *memory = zeros(size);
    return 0;
}

/* A top-k reads how many are wanted: no kernel has written it. */
static int copy(void *to, const void *from, size_t size, int kind) {
    memcpy(to, from, size);
    if (is_set("STAND_IN_LOG")) fprintf(stderr, "copy %d %zu\n", kind, size);
    if (kind == TO_HOST && size == 8) *(int64_t *)to = 3;
    return 0;
}

int cudaMalloc(void **memory, size_t size) { return allocate(memory, size); }
int cudaMallocFromPoolAsync(void **memory, size_t size, void *pool, void *stream) {
    return allocate(memory, size);
}
int cudaMallocHost(void **memory, size_t size) { *memory = zeros(size); return 0; }
int cudaHostAlloc(void **memory, size_t size, unsigned flags) { *memory = zeros(size); return 0; }
int cudaFree(void *memory) { free(memory); return 0; }
int cudaFreeHost(void *memory) { free(memory); return 0; }
int cudaFreeAsync(void *memory, void *stream) { free(memory); return 0; }
int cudaMemcpy(void *to, const void *from, size_t size, int kind) {
    return copy(to, from, size, kind);
}
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
    return copy(to, from, size, kind);
}
int cudaMemset(void *memory, int value, size_t size) { memset(memory, value, size); return 0; }
int cudaMemsetAsync(void *memory, int value, size_t size, void *stream) {
    memset(memory, value, size);
    return 0;
}
int cudaMemGetInfo(size_t *left, size_t *all) {
    *left = *all = (size_t)80 << 30;
    return 0;
}
int cudaMemPoolCreate(void **pool, const void *properties) { *pool = zeros(64); return 0; }
int cudaPointerGetAttributes(void *attributes, const void *memory) {
    memset(attributes, 0, 88);
    *(int *)attributes = 2; /* device memory */
    return 0;
}

int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaDriverGetVersion(int *version) { *version = 13000; return 0; }
int cudaRuntimeGetVersion(int *version) { *version = 13000; return 0; }

/* Offsets and sizes of CUDA 13's structures. */
int cudaGetDeviceProperties(char *properties, int device) {
    memset(properties, 0, 1008);
    strcpy(properties, "stand-in");
    *(size_t *)(properties + 288) = (size_t)80 << 30; /* totalGlobalMem */
    *(size_t *)(properties + 296) = 49152;            /* sharedMemPerBlock */
    int *numbers = (int *)properties;
    numbers[304 / 4] = 65536;                                          /* regsPerBlock */
    numbers[308 / 4] = 32;                                             /* warpSize */
    numbers[320 / 4] = 1024;                                           /* maxThreadsPerBlock */
    numbers[324 / 4] = 1024, numbers[328 / 4] = 1024, numbers[332 / 4] = 64;
    numbers[336 / 4] = 2147483647, numbers[340 / 4] = 65535, numbers[344 / 4] = 65535;
    numbers[360 / 4] = 9, numbers[364 / 4] = 0;                        /* compute capability */
    numbers[384 / 4] = 132;                                            /* multiProcessorCount */
    numbers[604 / 4] = 2048;                                           /* threads of each */
    return 0;
}
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    switch (attribute) {
        case 75: *value = 9; break;   /* compute capability, major */
        case 76: *value = 0; break;   /* minor */
        case 16: *value = 132; break; /* multiprocessors */
        case 10: *value = 32; break;  /* a warp's threads */
        default: *value = 1024;
    }
    return 0;
}
int cudaFuncGetAttributes(void *attributes, const void *function) {
    memset(attributes, 0, 144);
    ((int *)attributes)[24 / 4] = 1024; /* maxThreadsPerBlock */
    return 0;
}
int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    int *blocks, const void *function, int threads, size_t shared, unsigned flags) {
    *blocks = 2;
    return 0;
}

int cudaStreamCreate(void **stream) { *stream = zeros(64); return 0; }
int cudaStreamCreateWithFlags(void **stream, unsigned flags) { *stream = zeros(64); return 0; }
int cudaStreamIsCapturing(void *stream, int *status) { *status = 0; return 0; }
int cudaStreamSynchronize(void *stream) { return is_set("STAND_IN_LOST") ? ILLEGAL_ADDRESS : 0; }
int cudaEventCreate(void **event) { *event = zeros(64); return 0; }
int cudaEventCreateWithFlags(void **event, unsigned flags) { *event = zeros(64); return 0; }

const char *cudaGetErrorName(int code) { return "stand-in"; }
const char *cudaGetErrorString(int code) {
    if (code == OUT_OF_MEMORY) return "out of memory";
    return code == ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "stand-in";
}

/* What compiled kernels register with, and are launched through. */
typedef struct { unsigned x, y, z; } dim3;
static void *binary[8];
void **__cudaRegisterFatBinary(void *cubin) { return binary; }
void __cudaRegisterFatBinaryEnd(void **handle) {}
void __cudaUnregisterFatBinary(void **handle) {}
int __cudaGetKernel(void **kernel, const void *function) { *kernel = (void *)function; return 0; }
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream) {
    return 0;
}
int __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void **stream) {
    *grid = *block = (dim3){1, 1, 1};
    *shared = 0;
    *stream = NULL;
    return 0;
}
#endif

#ifdef CUDNN
size_t cudnnGetVersion(void) { return 91300; }
size_t cudnnGetCudartVersion(void) { return 13000; }
const char *cudnnGetErrorString(int status) { return "stand-in"; }
int cudnnDropoutGetStatesSize(void *handle, size_t *size) { *size = 1024; return 0; }
int cudnnGetRNNWeightSpaceSize(void *handle, void *rnn, size_t *size) { *size = 4 << 20; return 0; }
int cudnnGetRNNTempSpaceSizes(
    void *handle, void *rnn, int mode, void *x, size_t *work, size_t *reserve) {
    if (work) *work = 1 << 16;
    if (reserve) *reserve = 1 << 16;
    return 0;
}
int cudnnGetRNNWeightParams(
    void *handle, void *rnn, int layer, size_t size, void *space, int which, void *matrix_type,
    void **matrix, void *bias_type, void **bias) {
    *matrix = *bias = space;
    return 0;
}
int cudnnGetTensorNdDescriptor(
    void *tensor, int wanted, int *dtype, int *rank, int *axes, int *strides) {
    *dtype = 0;
    *rank = wanted;
    for (int axis = 0; axis < wanted; axis++) axes[axis] = strides[axis] = 1;
    return 0;
}
#endif
