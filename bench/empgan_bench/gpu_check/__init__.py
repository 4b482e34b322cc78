"""Everything that a GPU can prove, in one run that leaves a report: `scripts/gpu_check`."""
