#include "optim/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "core/error.h"
#include "optim/adamw.h"
#include "optim/lazy_rows.h"

namespace st {

std::unique_ptr<LazyRows> Optimizer::lazy_rows(Parameters&) {
  return nullptr;
}

namespace {

// Optimisers in ATen operations, range by range.
class RangeOptimizer : public Optimizer {
 public:
  void update(const std::vector<UpdateRange>& ranges, int64_t, double grad_factor, const FlatBuffers& flat) final {
    for (const UpdateRange& range : ranges) {
      with_range(range, flat, [&](at::Tensor value, at::Tensor grad) { update(range, grad_factor, value, grad); });
    }
  }

  void queue_update(const std::vector<QueuedRange>& ranges, const cuda::UpdateScalars& scalars,
                    const FlatBuffers& flat) final {
    const at::Tensor skipped = scalars.skipped.to(at::kBool);
    for (const QueuedRange& range : ranges) {
      with_range(range, flat, [&](at::Tensor value, at::Tensor grad) {
        // A rate and a gradient of 0 leave the values as they are, bit for bit.
        if (scalars.divisor.defined()) grad.div_(scalars.divisor);
        grad.masked_fill_(skipped, 0);
        update(range.rate * (1 - scalars.skipped), range, skipped, value, grad);
      });
    }
  }

 protected:
  virtual void update(const UpdateRange& range, double grad_factor, at::Tensor value, at::Tensor grad) = 0;
  // For a skipped update, gradient and rate are 0, and the state has to stay too.
  virtual void update(const at::Tensor& rate, const QueuedRange& range, const at::Tensor& skipped, at::Tensor value,
                      at::Tensor grad) = 0;

 private:
  template <typename Range, typename Work>
  void with_range(const Range& range, const FlatBuffers& flat, const Work& work) {
    const int64_t count = range.end - range.begin;
    at::Tensor value = flat.values.narrow(0, range.begin, count), grad = flat.gradients.narrow(0, range.begin, count);
    work(value, grad);
    grad.zero_();
    if (flat.copy.defined()) flat.copy.narrow(0, range.begin, count).copy_(value);
  }
};

// torch.optim.SGD without momentum.
class Sgd : public RangeOptimizer {
 public:
  std::vector<std::pair<std::string, at::Tensor>> state() override { return {}; }

 protected:
  // value - lr (factor grad + decay value)
  void update(const UpdateRange& range, double grad_factor, at::Tensor value, at::Tensor grad) override {
    value.mul_(1 - range.lr * range.weight_decay).sub_(grad, range.lr * grad_factor);
  }

  void update(const at::Tensor& rate, const QueuedRange& range, const at::Tensor&, at::Tensor value,
              at::Tensor grad) override {
    value.mul_(1 - rate * range.weight_decay).addcmul_(grad, rate, -1);
  }
};

// torch.optim.RMSprop, neither centered nor with momentum.
class RmsProp : public RangeOptimizer {
 public:
  RmsProp(const Config& spec, int64_t size, const at::Tensor& like)
      : alpha_(spec.number("alpha", 0.99)),
        epsilon_(spec.number("epsilon", 1e-8)),
        square_avg_(at::zeros({size}, like.options())) {}

  std::vector<std::pair<std::string, at::Tensor>> state() override { return {{"square_avg", square_avg_}}; }

 protected:
  void update(const UpdateRange& range, double grad_factor, at::Tensor value, at::Tensor grad) override {
    at::Tensor square = square_avg_.narrow(0, range.begin, range.end - range.begin);
    grad.mul_(grad_factor);
    if (range.weight_decay != 0) grad.add_(value, range.weight_decay);
    square.mul_(alpha_).addcmul_(grad, grad, 1 - alpha_);
    value.addcdiv_(grad, square.sqrt().add_(epsilon_), -range.lr);
  }

  void update(const at::Tensor& rate, const QueuedRange& range, const at::Tensor& skipped, at::Tensor value,
              at::Tensor grad) override {
    at::Tensor square = square_avg_.narrow(0, range.begin, range.end - range.begin);
    if (range.weight_decay != 0) grad.add_(value, range.weight_decay);
    square.copy_(at::where(skipped, square, (square * alpha_).addcmul_(grad, grad, 1 - alpha_)));
    value.addcdiv_(grad.mul_(rate), square.sqrt().add_(epsilon_), -1);
  }

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
