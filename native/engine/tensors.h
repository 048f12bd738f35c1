#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/config.h"

namespace st {

// Values from the caller, row by row.
using HostArray = std::variant<std::vector<float>, std::vector<double>, std::vector<int32_t>, std::vector<uint8_t>>;
// Memory of the caller that takes values.
struct HostMemory {
  std::variant<float*, double*, int32_t*, uint8_t*> data;
  int64_t size;
};

// One operation: what `op` makes of the tensors `in`, with options, becomes the tensor `out`. `free` has no result: it
// forgets `in`.
struct TensorStep {
  std::string op;
  int64_t out = 0;
  std::vector<int64_t> in;
  Config options;
};

// The tensors of one JavaScript thread, by number, and the operations between them, with gradients by autograd. They
// lie on the CPU. All calls belong on the executor thread.
class TensorSpace {
 public:
  // A step that fails, or reads a tensor that failed, gives a failed tensor. read() and backward() of it throw.
  void run(const std::vector<TensorStep>& steps, std::vector<HostArray> arrays);
  // Gradients of a tensor of one element go to all leaves and encoders that it was made of.
  void backward(int64_t id);
  // Copies the values, row by row. The caller's memory has their number and their type: float32, float64, int32 for
  // int64, bytes for bool.
  void read(int64_t id, const HostMemory& out) const;
  int64_t size() const { return static_cast<int64_t>(slots_.size()); }

  // Throws the failure of a failed tensor, and ERR_DISPOSED for one that is not there.
  const at::Tensor& get(int64_t id) const;
  void put(int64_t id, at::Tensor tensor) { slots_[id] = {std::move(tensor), nullptr}; }
  // Puts what `make` returns, one tensor for each of `ids`; failed tensors where it throws.
  void put_all(const std::vector<int64_t>& ids, const std::function<std::vector<at::Tensor>()>& make);

 private:
  struct Slot {
    at::Tensor tensor;
    std::exception_ptr failure;
  };
  std::unordered_map<int64_t, Slot> slots_;
};

}  // namespace st
