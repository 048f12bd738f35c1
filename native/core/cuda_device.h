#pragma once

namespace st {

// CUDA devices of this machine that this build can use; 0 in a CPU build.
int cuda_device_count();

}  // namespace st
