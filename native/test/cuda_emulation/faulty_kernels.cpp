#include "faulty_kernels.h"

#include "cuda_runtime.h"

namespace st::cuda {
extern __shared__ float shared_memory[];
}

namespace st::test::faulty {

void barrier_for_some(float* x) {
  if (threadIdx.x < 40) __syncthreads();
  x[threadIdx.x] = 1;
}

void shuffle_for_some(float* x) {
  if (threadIdx.x != 33) x[threadIdx.x] = __shfl_xor_sync(~0u, static_cast<float>(threadIdx.x), 1);
}

void neighbour_without_barrier(float* x) {
  x[threadIdx.x] = 1;
  if (threadIdx.x == 5) x[5] = x[6];
}

void neighbour_after_a_shuffle(float* x) {
  x[threadIdx.x] = __shfl_xor_sync(~0u, 2.0f, 1);
  if (threadIdx.x == 5) x[5] = x[6];
}

void neighbour_of_another_warp(float* x) {
  st::cuda::shared_memory[threadIdx.x] = 1;
  __syncwarp();
  if (threadIdx.x == 5) x[5] = st::cuda::shared_memory[6] + st::cuda::shared_memory[40];
}

void neighbour_of_another_block(float* x) {
  __syncthreads();
  if (threadIdx.x == 0) x[0] += static_cast<float>(blockIdx.x);
}

void one_number_too_far(float* x) {
  x[threadIdx.x] = x[threadIdx.x + 1];
}

void more_shared_memory(float* x) {
  x[threadIdx.x] = st::cuda::shared_memory[threadIdx.x];
}

void neighbour_after_a_barrier(float* x) {
  st::cuda::shared_memory[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = st::cuda::shared_memory[(threadIdx.x + 33) % blockDim.x];
}

}  // namespace st::test::faulty
