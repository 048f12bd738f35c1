// Batches on a stream of their own: the next one is uploaded while the device computes with another.
#include "core/error.h"
#include "core/features.h"
#include "ops/cuda.h"
#if ST_WITH_CUDA
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <array>
#endif

namespace st::cuda {

#if ST_WITH_CUDA

namespace {

constexpr size_t kSlots = 3;  // one that the device reads, one on the way, one that the host fills

class StreamUploader : public Uploader {
 public:
  explicit StreamUploader(at::Device device)
      : device_(device), stream_(c10::cuda::getStreamFromPool(false, device.index())) {}

  int32_t* memory(int64_t words) override {
    Slot& slot = slots_[next_];
    if (slot.used) slot.arrived.synchronize();
    if (!slot.host.defined() || slot.host.numel() < words) {
      if (slot.used) slot.taken.synchronize();
      const int64_t size = slot.host.defined() ? std::max(words, 2 * slot.host.numel()) : words;
      const c10::cuda::CUDAStreamGuard guard(stream_);
      slot.host = at::empty({size}, at::TensorOptions().dtype(at::kInt).pinned_memory(true));
      slot.staged = at::empty({size}, at::TensorOptions().dtype(at::kInt).device(device_));
    }
    return slot.host.data_ptr<int32_t>();
  }

  void send(at::Tensor to) override {
    Slot& slot = slots_[next_];
    const int64_t words = to.numel();
    const at::Tensor staged = slot.staged.narrow(0, 0, words);
    {
      const c10::cuda::CUDAStreamGuard guard(stream_);
      if (slot.used) slot.taken.block(stream_);
      staged.copy_(slot.host.narrow(0, 0, words), /*non_blocking=*/true);
      slot.arrived.record(stream_);
    }
    const c10::cuda::CUDAStream compute = c10::cuda::getCurrentCUDAStream(device_.index());
    slot.arrived.block(compute);
    to.copy_(staged);
    slot.taken.record(compute);
    slot.used = true;
    next_ = (next_ + 1) % kSlots;
  }

 private:
  struct Slot {
    at::Tensor host, staged;
    at::cuda::CUDAEvent arrived;  // on the device: the host may write again
    at::cuda::CUDAEvent taken;    // by the step: the next transfer may begin
    bool used = false;
  };

  at::Device device_;
  c10::cuda::CUDAStream stream_;
  std::array<Slot, kSlots> slots_;
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Uploader> make_uploader(at::Device device) {
  return std::make_unique<StreamUploader>(device);
}

#else

std::unique_ptr<Uploader> make_uploader(at::Device device) {
  fail("ERR_UNSUPPORTED", "Batches have a stream of their own on CUDA devices, not on ", device.str());
}

#endif

}  // namespace st::cuda
