#include "engine/tensors.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "engine/tensor_ops.h"

namespace st {

const at::Tensor& TensorSpace::get(int64_t id) const {
  const auto found = slots_.find(id);
  // lib/tensor/space.ts reads the number.
  check(found != slots_.end(), "ERR_DISPOSED", "The tensor ", id, " was disposed of");
  if (found->second.failure) std::rethrow_exception(found->second.failure);
  return found->second.tensor;
}

void TensorSpace::put_all(const std::vector<int64_t>& ids, const std::function<std::vector<at::Tensor>()>& make) {
  try {
    std::vector<at::Tensor> made = make();
    check(made.size() == ids.size(), "ERR_INVALID_ARGUMENT", "Expected places for ", made.size(),
          " tensors but received ", ids.size());
    for (size_t i = 0; i < ids.size(); ++i) put(ids[i], std::move(made[i]));
  } catch (...) {
    for (int64_t id : ids) slots_[id] = {at::Tensor(), std::current_exception()};
  }
}

void TensorSpace::run(const std::vector<TensorStep>& steps, std::vector<HostArray> arrays) {
  // An earlier job of this thread may have failed without gradients.
  const at::AutoGradMode with_grad(true);
  for (const TensorStep& step : steps) {
    if (step.op == "free") {
      for (int64_t id : step.in) slots_.erase(id);
      continue;
    }
    put_all({step.out}, [&]() -> std::vector<at::Tensor> {
      std::vector<at::Tensor> in;
      in.reserve(step.in.size());
      for (int64_t id : step.in) in.push_back(get(id));
      return {run_tensor_op(step.op, in, step.options, arrays)};
    });
  }
}

void TensorSpace::backward(int64_t id) {
  const at::Tensor& loss = get(id);
  check(loss.numel() == 1, "ERR_INVALID_ARGUMENT", "Expected one element for backward() but found ", loss.numel());
  check(loss.requires_grad(), "ERR_INVALID_ARGUMENT", "Expected a tensor that was made of parameters or of a model");
  try {
    torch::autograd::backward({loss}, {});
  } catch (const c10::Error& error) {
    // No operation writes in place, so only an optimizer has changed what autograd had kept.
    const std::string message = error.what_without_backtrace();
    check(message.find("modified by an inplace operation") == std::string::npos, "ERR_INVALID_ARGUMENT",
          "The weights were updated between the operations and backward(): the gradient would be wrong");
    throw;
  }
}

void TensorSpace::read(int64_t id, const HostMemory& out) const {
  const at::NoGradGuard no_grad;
  const at::Tensor& tensor = get(id);
  check(tensor.numel() == out.size, "ERR_INVALID_ARGUMENT", "Expected room for ", tensor.numel(),
        " values but received room for ", out.size);
  std::visit(
      [&](auto* data) {
        using T = std::remove_pointer_t<decltype(data)>;
        constexpr at::ScalarType kStored = std::is_same_v<T, float>     ? at::kFloat
                                           : std::is_same_v<T, double>  ? at::kDouble
                                           : std::is_same_v<T, int32_t> ? at::kLong
                                                                        : at::kBool;
        check(tensor.scalar_type() == kStored, "ERR_INVALID_ARGUMENT", "Expected room for values of type ",
              c10::toString(tensor.scalar_type()), " but received room for ", c10::toString(kStored));
        if (kStored == at::kLong && tensor.numel() > 0) {
          constexpr int64_t kLeast = std::numeric_limits<int32_t>::min(), kMost = std::numeric_limits<int32_t>::max();
          check(tensor.min().item<int64_t>() >= kLeast && tensor.max().item<int64_t>() <= kMost, "ERR_INVALID_ARGUMENT",
                "Expected whole numbers of 32 bits: read larger ones as float64");
        }
        constexpr at::ScalarType kThere = c10::CppTypeToScalarType<T>::value;
        at::from_blob(data, tensor.sizes(), at::TensorOptions(kThere)).copy_(tensor);
      },
      out.data);
}

}  // namespace st
