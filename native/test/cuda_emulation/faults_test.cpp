// What the emulation has to notice.
#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <string>

#include "cuda_runtime.h"
#include "emulation.h"
#include "faulty_kernels.h"

namespace st::test {

namespace {

using ::testing::Test;

class CudaEmulationFaults : public Test {
 protected:
  CudaEmulationFaults() { std::iota(x_.begin(), x_.end(), 0.0f); }
  ~CudaEmulationFaults() override { emulation::forget_memory(); }

  std::string faults_of(void (*kernel)(float*), unsigned threads = 64, unsigned blocks = 1,
                        size_t shared_bytes = 64 * sizeof(float)) {
    emulation::forget_memory();
    emulation::allow(x_.data(), sizeof(x_), sizeof(float), true);
    cudaLaunchConfig_t config = {};
    config.gridDim = blocks;
    config.blockDim = threads;
    config.dynamicSmemBytes = shared_bytes;
    cudaLaunchKernelEx(&config, kernel, x_.data());
    const cudaError_t refused = cudaGetLastError();
    if (refused != cudaSuccess) return cudaGetErrorString(refused);
    const bool failed = cudaStreamSynchronize(nullptr) != cudaSuccess;
    EXPECT_EQ(failed, cudaGetLastError() != cudaSuccess);
    const std::string faults = emulation::take_faults();
    EXPECT_EQ(failed, !faults.empty());
    return faults.substr(0, faults.find('\n'));
  }

  std::array<float, 64> x_;
};

TEST_F(CudaEmulationFaults, NoneWhereNoneIs) {
  EXPECT_EQ(faults_of(faulty::neighbour_after_a_barrier), "");
  EXPECT_EQ(x_[0], 33);
  EXPECT_EQ(x_[40], 9);
}

TEST_F(CudaEmulationFaults, ABarrierThatNotAllReach) {
  EXPECT_EQ(faults_of(faulty::barrier_for_some),
            "thread 0 of block 0 waits at __syncthreads that others do not reach; 24 of 64 threads have ended");
}

TEST_F(CudaEmulationFaults, AShuffleThatNotAllLanesReach) {
  EXPECT_EQ(faults_of(faulty::shuffle_for_some),
            "thread 32 of block 0 waits at a shuffle that others do not reach; 33 of 64 threads have ended");
  EXPECT_EQ(x_[6], 7);
}

#if !defined(__SANITIZE_ADDRESS__)
TEST_F(CudaEmulationFaults, ValuesOfOthersWithoutABarrier) {
  EXPECT_EQ(faults_of(faulty::neighbour_without_barrier),
            "thread 6 of block 0 writes number 6, which thread 5 of block 0 reads, without a barrier in between");
  // Lanes that have exchanged a value have not exchanged their memory.
  EXPECT_EQ(faults_of(faulty::neighbour_after_a_shuffle, 32),
            "thread 6 of block 0 writes number 6, which thread 5 of block 0 reads, without a barrier in between");
  // A barrier of a warp is none for the others.
  EXPECT_EQ(faults_of(faulty::neighbour_of_another_warp),
            "thread 40 of block 0 writes number 40, which thread 5 of block 0 reads, without a barrier in between");
  EXPECT_EQ(faults_of(faulty::neighbour_of_another_block, 64, 2),
            "thread 0 of block 1 reads number 0, which thread 0 of block 0 writes, without a barrier in between");
}

TEST_F(CudaEmulationFaults, MemoryThatALaunchWasNotGiven) {
  EXPECT_EQ(faults_of(faulty::one_number_too_far, 63).substr(0, 11), "thread 1 of");  // of another thread
  EXPECT_EQ(faults_of(faulty::more_shared_memory, 64, 1, 63 * sizeof(float)),
            "thread 63 of block 0 reads memory that the launch was not given");
  emulation::forget_memory();
  EXPECT_EQ(faults_of(faulty::more_shared_memory), "");
  EXPECT_TRUE(std::isnan(x_[3])) << "shared memory that nobody has written is no number";
}
#endif

TEST_F(CudaEmulationFaults, LaunchesThatDevicesRefuse) {
  for (const auto& [blocks, threads, shared] :
       {std::array<unsigned, 3>{0, 1, 0}, {1, 0, 0}, {1, 1025, 0}, {1, 1, 48 * 1024 + 1}}) {
    EXPECT_EQ(faults_of(faulty::neighbour_after_a_barrier, threads, blocks, shared), "invalid configuration argument");
  }
}

}  // namespace

}  // namespace st::test
