#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace st {

// Memory for activations: a stack of bytes that grows to the largest pass and is then reused, because fresh
// allocations cost page faults (a third of the time of encoding). A tensor from take() is valid until the stack is
// released below it.
class Workspace {
 public:
  explicit Workspace(at::Device device) : device_(device) {}

  at::Tensor take(at::IntArrayRef shape, at::ScalarType type);

  struct Mark {
    size_t block;
    int64_t used;
  };
  Mark mark() const { return {current_, used_}; }
  void release(const Mark& mark);
  // The meta device has no memory. There, take() only counts.
  int64_t counted() const { return used_; }
  // Drops all tensors. Several blocks of a growing pass become one.
  void reset();
  int64_t bytes() const;

 private:
  at::Device device_;
  std::vector<at::Tensor> blocks_;
  size_t current_ = 0;
  int64_t used_ = 0;
};

// Releases all memory that was taken since its construction.
class Scratch {
 public:
  explicit Scratch(Workspace& workspace) : workspace_(workspace), mark_(workspace.mark()) {}
  ~Scratch() { workspace_.release(mark_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  Workspace& workspace_;
  Workspace::Mark mark_;
};

}  // namespace st
