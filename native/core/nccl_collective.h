#pragma once

#include <memory>

#include "core/collective.h"

namespace st {

// Ranks whose CUDA tensors go over NCCL, by LibTorch's c10d. What is on the CPU goes the way of `host`. See
// Collective::on_device.
std::shared_ptr<Collective> join_nccl(std::shared_ptr<Collective> host, std::shared_ptr<RankStore> store,
                                      at::Device device);

}  // namespace st
