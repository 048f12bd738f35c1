// The source that nvcc compiles, as C++.
#include "cuda/kernels.cu"
