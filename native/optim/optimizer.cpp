#include "optim/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/zeros.h>

#include "core/error.h"
#include "optim/adamw.h"

namespace st {

namespace {

// torch.optim.SGD without momentum.
class Sgd : public Optimizer {
 public:
  void update(const UpdateRange& range, int64_t, double grad_factor, const at::Tensor& values,
              const at::Tensor& gradients) override {
    at::Tensor value = values.narrow(0, range.begin, range.end - range.begin),
               grad = gradients.narrow(0, range.begin, range.end - range.begin);
    // value - lr (factor grad + decay value)
    value.mul_(1 - range.lr * range.weight_decay).sub_(grad, range.lr * grad_factor);
    grad.zero_();
  }
  std::vector<std::pair<std::string, at::Tensor>> state() override { return {}; }
};

// torch.optim.RMSprop, neither centered nor with momentum.
class RmsProp : public Optimizer {
 public:
  RmsProp(const Config& spec, int64_t size, const at::Tensor& like)
      : alpha_(spec.number("alpha", 0.99)),
        epsilon_(spec.number("epsilon", 1e-8)),
        square_avg_(at::zeros({size}, like.options())) {}

  void update(const UpdateRange& range, int64_t, double grad_factor, const at::Tensor& values,
              const at::Tensor& gradients) override {
    const int64_t count = range.end - range.begin;
    at::Tensor value = values.narrow(0, range.begin, count), grad = gradients.narrow(0, range.begin, count),
               square = square_avg_.narrow(0, range.begin, count);
    grad.mul_(grad_factor);
    if (range.weight_decay != 0) grad.add_(value, range.weight_decay);
    square.mul_(alpha_).addcmul_(grad, grad, 1 - alpha_);
    value.addcdiv_(grad, square.sqrt().add_(epsilon_), -range.lr);
    grad.zero_();
  }
  std::vector<std::pair<std::string, at::Tensor>> state() override { return {{"square_avg", square_avg_}}; }

 private:
  double alpha_, epsilon_;
  at::Tensor square_avg_;
};

[[noreturn]] void unknown(const std::string& type) {
  fail("ERR_NOT_IMPLEMENTED", "Optimizer ", type, " is not built: expected adamw, sgd or rmsprop");
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const Config& spec, int64_t size, const at::Tensor& like) {
  const std::string& type = spec.string("type");
  if (type == "adamw") {
    return std::make_unique<AdamW>(
        AdamWOptions{spec.number("beta1", 0.9), spec.number("beta2", 0.999), spec.number("epsilon", 1e-8)}, size, like);
  }
  if (type == "sgd") return std::make_unique<Sgd>();
  if (type == "rmsprop") return std::make_unique<RmsProp>(spec, size, like);
  unknown(type);
}

std::vector<std::string> optimizer_state_names(const Config& spec) {
  const std::string& type = spec.string("type");
  if (type == "adamw") return {"exp_avg", "exp_avg_sq"};
  if (type == "rmsprop") return {"square_avg"};
  if (type == "sgd") return {};
  unknown(type);
}

}  // namespace st
