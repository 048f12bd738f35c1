#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

// What a device does with a step that repeats itself. Defined for CUDA in cuda/; the tests have their own.
namespace st {

// Work of a device that was recorded once. It repeats itself on what its tensors hold by then.
class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
  // Queues it. What LibTorch's generator draws in it is a function of `seed`.
  virtual void replay(uint64_t seed) = 0;
};

class Recorder {
 public:
  virtual ~Recorder() = default;
  // Does `work` where recordings are made, in order with everything else: libraries get ready for it there.
  virtual void warm_up(const std::function<void()>& work) = 0;
  // Calls `work`, whose device work is recorded and not done. Throws what `work` throws, and ERR_LIBTORCH or a c10
  // error where it does what cannot be recorded; nothing is left of the recording then.
  virtual std::unique_ptr<RecordedWork> record(const std::function<void()>& work) = 0;
};

// The way of batches to the device, beside its work.
class Uploader {
 public:
  virtual ~Uploader() = default;
  // Memory of the host for the next batch, valid until send(): who calls fills it.
  virtual int32_t* memory(int64_t words) = 0;
  // Copies it to `to` (int32, as many words) once the work that was queued so far is done. Does not wait.
  virtual void send(at::Tensor to) = 0;
};

}  // namespace st
