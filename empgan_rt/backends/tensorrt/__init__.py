"""TensorRT engines made of a bundle's graphs, on the machine that will run them.

`engines` finds an engine in the private cache, or prepares its graph (`prepared_graph`), builds it
(`build`) and puts it there (`cache`). Nothing here executes an engine. The API used is what
TensorRT 10.16 and 11.4 and TensorRT-RTX 1.7 have in common; a test holds the room to that.
"""
