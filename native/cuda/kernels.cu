// The kernels distribute the work over threads. The arithmetic is in the headers, which the tests run on the host.
#include <cuda_runtime.h>

#include <algorithm>
#include <type_traits>

#include "cuda/launch.h"

namespace st::cuda {

// Of a block: as many bytes as its launch asks for.
extern __shared__ float shared_memory[];

namespace {

constexpr int kLanes = 32, kWarps = 8;  // of a block
constexpr int64_t kMostParts = 264;     // blocks that sum over tokens: two for each multiprocessor of a large card

struct Warp {
  __device__ int lane() const { return static_cast<int>(threadIdx.x); }
  __device__ int lanes() const { return kLanes; }
  __device__ float sum(float x) const {
    for (int mask = kLanes / 2; mask > 0; mask /= 2) x += __shfl_xor_sync(~0u, x, mask);
    return x;
  }
  __device__ float highest(float x) const {
    for (int mask = kLanes / 2; mask > 0; mask /= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, mask));
    return x;
  }
  __device__ void sync() const { __syncwarp(); }
};

const dim3 kBlock(kLanes, kWarps);
dim3 blocks_for(int64_t rows) {
  return dim3(static_cast<unsigned>((rows + kWarps - 1) / kWarps));
}
__device__ int64_t row_of_warp() {
  return int64_t{blockIdx.x} * kWarps + threadIdx.y;
}

// The one place of launches, in C++ that any compiler takes: tests run the kernels on the CPU.
template <typename... Parameters, typename... Arguments>
const char* run(void (*kernel)(Parameters...), dim3 blocks, dim3 threads, int64_t shared_bytes, void* stream,
                const Arguments&... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = static_cast<cudaStream_t>(stream);
  cudaLaunchKernelEx(&config, kernel, arguments...);
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

// A warp to each row.
template <typename... Parameters, typename... Arguments>
const char* run_rows(void (*kernel)(Parameters...), int64_t rows, void* stream, const Arguments&... arguments) {
  return run(kernel, blocks_for(rows), kBlock, 0, stream, arguments...);
}

// Calls work with the columns of a lane as a constant: 12 for a width of 384, 24 for 768, 32 for 1024.
template <typename Work>
const char* with_columns(int64_t width, const Work& work) {
  if (width <= 12 * kLanes) return work(std::integral_constant<int, 12>());
  if (width <= 24 * kLanes) return work(std::integral_constant<int, 24>());
  return work(std::integral_constant<int, 32>());
}

template <int Columns, typename S>
__global__ void residual_norm_kernel(ResidualNorm<S> k) {
  const int64_t t = row_of_warp();
  if (t < k.tokens) residual_norm_token<Columns>(k, Warp(), t);
}

// A block is a part: its warps take every parts * kWarps-th token, then add their sums one after the other, so that the
// result is the same in every run.
template <int Columns, typename S>
__global__ void residual_norm_backward_kernel(ResidualNormBackward<S> k, float* parts_P3D) {
  float* total_3D = shared_memory;
  NormSums<Columns> sums;
  for (int64_t t = row_of_warp(); t < k.tokens; t += int64_t{gridDim.x} * kWarps) {
    residual_norm_backward_token<Columns>(k, Warp(), t, sums);
  }
  for (unsigned warp = 0; warp < kWarps; ++warp) {
    if (threadIdx.y == warp) {
#pragma unroll
      for (int i = 0; i < Columns; ++i) {
        const int64_t c = threadIdx.x + int64_t{i} * kLanes;
        if (c >= k.width) continue;
        total_3D[c] = sums.gamma[i] + (warp > 0 ? total_3D[c] : 0);
        total_3D[k.width + c] = sums.beta[i] + (warp > 0 ? total_3D[k.width + c] : 0);
        total_3D[2 * k.width + c] = sums.bias[i] + (warp > 0 ? total_3D[2 * k.width + c] : 0);
      }
    }
    __syncthreads();
  }
  for (int64_t c = threadIdx.y * kLanes + threadIdx.x; c < 3 * k.width; c += kLanes * kWarps) {
    parts_P3D[blockIdx.x * 3 * k.width + c] = total_3D[c];
  }
}

__global__ void add_parts_kernel(const float* parts_P3D, int64_t parts, int64_t width, NormGradients to) {
  const int64_t c = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c >= 3 * width) return;
  float sum = 0;
#pragma unroll 8
  for (int64_t part = 0; part < parts; ++part) sum += parts_P3D[part * 3 * width + c];
  float* target = c < width ? to.gamma_D : c < 2 * width ? to.beta_D : to.bias_D;
  target[c % width] += sum;
}

template <int Columns>
__global__ void mean_pool_kernel(MeanPool k) {
  const int64_t row = row_of_warp();
  if (row < k.rows) mean_pool_row<Columns>(k, Warp(), row);
}

__global__ void mean_pool_backward_kernel(MeanPoolBackward k) {
  const int64_t row = row_of_warp();
  if (row < k.rows) mean_pool_backward_row(k, Warp(), row);
}

__global__ void softmax_loss_kernel(SoftmaxLoss k) {
  const int64_t row = row_of_warp();
  if (row < k.rows) softmax_loss_row(k, Warp(), row);
}

__global__ void dropout_factors_kernel(DropoutFactors k) {
  const int64_t row = row_of_warp();
  if (row < k.rows) dropout_factors_row(k, Warp(), row);
}

__global__ void clip_kernel(Clip k) {
  clip_all(k);
}

__global__ void adamw_kernel(AdamWStep k, AdamWBuffers b) {
  const AdamWNow now = adamw_now(k);
  const int64_t stride = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < b.count; i += stride) {
    adamw_element(k, now, b, i);
  }
}

template <typename S>
const char* launch_norm(const ResidualNorm<S>& call, void* stream) {
  if (call.tokens == 0) return nullptr;
  return with_columns(call.width, [&](auto columns) {
    return run_rows(residual_norm_kernel<columns(), S>, call.tokens, stream, call);
  });
}

template <typename S>
const char* launch_norm_backward(const ResidualNormBackward<S>& call, const NormGradients& gradients, float* parts_P3D,
                                 void* stream) {
  if (call.tokens == 0) return nullptr;
  const int64_t parts = residual_norm_parts(call.tokens);
  const char* error = with_columns(call.width, [&](auto columns) {
    return run(residual_norm_backward_kernel<columns(), S>, static_cast<unsigned>(parts), kBlock,
               3 * call.width * int64_t{sizeof(float)}, stream, call, parts_P3D);
  });
  if (error != nullptr) return error;
  const auto blocks = static_cast<unsigned>((3 * call.width + 127) / 128);
  return run(add_parts_kernel, blocks, 128, 0, stream, parts_P3D, parts, call.width, gradients);
}

}  // namespace

int64_t residual_norm_parts(int64_t tokens) {
  return std::min(kMostParts, (tokens + kWarps - 1) / kWarps);
}

const char* launch(const ResidualNorm<float>& call, void* stream) {
  return launch_norm(call, stream);
}
const char* launch(const ResidualNorm<Bf16>& call, void* stream) {
  return launch_norm(call, stream);
}
const char* launch(const ResidualNormBackward<float>& call, const NormGradients& gradients, float* parts_P3D,
                   void* stream) {
  return launch_norm_backward(call, gradients, parts_P3D, stream);
}
const char* launch(const ResidualNormBackward<Bf16>& call, const NormGradients& gradients, float* parts_P3D,
                   void* stream) {
  return launch_norm_backward(call, gradients, parts_P3D, stream);
}

const char* launch(const MeanPool& call, void* stream) {
  if (call.rows == 0) return nullptr;
  return with_columns(call.width,
                      [&](auto columns) { return run_rows(mean_pool_kernel<columns()>, call.rows, stream, call); });
}

const char* launch(const MeanPoolBackward& call, void* stream) {
  if (call.rows == 0) return nullptr;
  return run_rows(mean_pool_backward_kernel, call.rows, stream, call);
}

const char* launch(const SoftmaxLoss& call, void* stream) {
  if (call.rows == 0) return nullptr;
  return run_rows(softmax_loss_kernel, call.rows, stream, call);
}

const char* launch(const DropoutFactors& call, void* stream) {
  if (call.rows == 0) return nullptr;
  return run_rows(dropout_factors_kernel, call.rows, stream, call);
}

const char* launch(const Clip& call, void* stream) {
  return run(clip_kernel, 1, 1, 0, stream, call);
}

const char* launch(const AdamWStep& step, const AdamWBuffers& buffers, void* stream) {
  if (buffers.count == 0) return nullptr;
  const int64_t blocks = std::min<int64_t>((buffers.count + 255) / 256, 8192);
  return run(adamw_kernel, static_cast<unsigned>(blocks), 256, 0, stream, step, buffers);
}

}  // namespace st::cuda
