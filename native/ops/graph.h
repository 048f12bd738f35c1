#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

// A device's recordings of repeated steps. Defined for CUDA in cuda/. Tests have their own.
namespace st {

// Recorded work of a device. A repetition uses the present content of its tensors.
class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
  // Queues it. `seed` decides the random numbers of LibTorch's generator in it.
  virtual void replay(uint64_t seed) = 0;
};

class Recorder {
 public:
  virtual ~Recorder() = default;
  // Runs `work` on the stream of recordings, in order with all other work. Libraries initialise themselves in it.
  virtual void warm_up(const std::function<void()>& work) = 0;
  // Calls `work` and records its device work without doing it. Throws the errors of `work`, and ERR_LIBTORCH or a c10
  // error for work that cannot be recorded. A failed recording leaves nothing.
  virtual std::unique_ptr<RecordedWork> record(const std::function<void()>& work) = 0;
};

// Uploads batches in parallel with the device's work.
class Uploader {
 public:
  virtual ~Uploader() = default;
  // Memory of the host for the next batch, to be filled by the caller, valid until send().
  virtual int32_t* memory(int64_t words) = 0;
  // Copies it to `to` (int32, the same number of words) after the work queued so far. Does not wait.
  virtual void send(at::Tensor to) = 0;
};

}  // namespace st
