#include "core/collective.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/features.h"
#include "core/rank_place.h"

#if ST_HAVE_C10D
#include "core/gloo_collective.h"
#endif
#if ST_HAVE_NCCL
#include "core/nccl_collective.h"
#endif

namespace st {

std::shared_ptr<Collective> Collective::join(const CollectiveSpec& spec) {
  check(spec.size >= 1, "ERR_DISTRIBUTED", "Expected at least one process but found a size of ", spec.size);
#if ST_HAVE_C10D
  return join_gloo(spec);
#else
  fail("ERR_NOT_IMPLEMENTED", "Training with several processes needs a LibTorch with c10d and Gloo, which this one (",
       ST_TORCH_VERSION, ") lacks");
#endif
}

std::shared_ptr<Collective> Collective::on_device(std::shared_ptr<Collective> ranks, at::Device device) {
  check_places(ranks->exchange(place_of(device)));
  if (ranks->takes(device)) return ranks;
#if ST_HAVE_NCCL
  return join_nccl(ranks, ranks->store_, device);
#else
  fail("ERR_NOT_IMPLEMENTED", "Training by several processes on ", device.str(), " needs NCCL, which this addon (",
       ST_WITH_CUDA ? "for CUDA " ST_CUDA_VERSION : "for the CPU",
       ") was built without: docs/distributed.md says what it takes. device: 'cpu' trains without");
#endif
}

std::vector<std::string> Collective::exchange(const std::string& text) {
  at::Tensor length = at::empty({1}, at::kLong);
  length.fill_(static_cast<int64_t>(text.size()));
  const at::Tensor lengths = all_gather(length);
  const auto* all = lengths.const_data_ptr<int64_t>();
  // An empty tensor is nothing to send.
  const int64_t longest = std::max<int64_t>(1, *std::max_element(all, all + size()));
  const at::Tensor own = at::zeros({longest}, at::kByte);
  std::memcpy(own.mutable_data_ptr(), text.data(), text.size());
  const at::Tensor texts = all_gather(own);
  std::vector<std::string> out;
  for (int64_t rank = 0; rank < size(); ++rank) {
    const auto* begin = static_cast<const char*>(texts.const_data_ptr()) + rank * longest;
    out.emplace_back(begin, static_cast<size_t>(all[rank]));
  }
  return out;
}

std::string Collective::share(const std::string& text, int64_t root) {
  at::Tensor length = at::empty({1}, at::kLong);
  length.fill_(static_cast<int64_t>(text.size()));
  broadcast(length, root);
  // An empty tensor is nothing to send.
  at::Tensor bytes = at::zeros({1 + length.item<int64_t>()}, at::kByte);
  if (rank() == root) std::memcpy(bytes.mutable_data_ptr(), text.data(), text.size());
  broadcast(bytes, root);
  return {static_cast<const char*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.numel() - 1)};
}

}  // namespace st
