#pragma once

// What kernels.cu uses of CUDA, for g++ in place of the toolkit's header of this name: the tests compile the kernels as
// C++ and run them on the CPU (emulation.h). Names and meanings are CUDA's.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
// One block runs at a time, on one thread of the host. Its memory is a variable, see emulation.cpp.
#define __shared__

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1)
      : x(x), y(y), z(z) {}  // NOLINT: from numbers, as CUDA's
};

// Of the thread that runs.
struct EmulatedPlace {
  uint3 thread, block;
  dim3 threads, blocks;
};
extern EmulatedPlace emulated_place;
inline const uint3 &threadIdx = emulated_place.thread, &blockIdx = emulated_place.block;
inline const dim3 &blockDim = emulated_place.threads, &gridDim = emulated_place.blocks;

void __syncthreads();
void __syncwarp(unsigned mask = ~0u);
uint64_t emulated_shuffle_xor(unsigned mask, uint64_t bits, int lanes);

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  bits = emulated_shuffle_xor(mask, bits, lanes);
  memcpy(&value, &bits, sizeof(T));
  return value;
}

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorLaunchFailure = 719,
};
const char* cudaGetErrorString(cudaError_t error);
// The error of the last call that failed, which is then forgotten.
cudaError_t cudaGetLastError();

// Launches are queued, and run when the host waits for their stream. Null is a stream, too.
using cudaStream_t = struct CUstream_st*;
cudaError_t cudaStreamCreate(cudaStream_t* stream);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
};

// A launch copies the arguments of its kernel.
cudaError_t emulated_launch(const cudaLaunchConfig_t& config, void (*run)(const void* call), const void* call,
                            size_t bytes);

template <typename... Expected, typename... Given>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Expected...), Given&&... given) {
  static_assert((std::is_trivially_copyable_v<Expected> && ...));
  using Call = std::pair<void (*)(Expected...), std::tuple<Expected...>>;
  const Call call(kernel, std::tuple<Expected...>(given...));
  const auto run = [](const void* call) {
    std::apply(static_cast<const Call*>(call)->first, static_cast<const Call*>(call)->second);
  };
  return emulated_launch(*config, run, &call, sizeof(call));
}
