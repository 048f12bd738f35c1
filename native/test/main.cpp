// Runs the tests with two threads, so that work is split, on the kernels that SENTENCE_TORCH_CPU names.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "core/error.h"
#include "ops/cpu/kernels.h"

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;  // SKIP_RETURN_CODE in CMakeLists.txt
  ::testing::InitGoogleTest(&argc, argv);
  at::set_num_threads(2);
  try {
    std::printf("CPU kernels: %s\n", st::kernels::chosen());
  } catch (const st::Error& error) {
    std::printf("skipped: %s\n", error.what());
    return error.code() == "ERR_UNSUPPORTED" ? kSkipped : 1;
  }
  return RUN_ALL_TESTS();
}
