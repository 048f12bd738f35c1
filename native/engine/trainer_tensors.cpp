// A step whose loss is written with tensors: embeddings come with a node of autograd, through which gradients come
// back.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "core/error.h"
#include "engine/gathered.h"
#include "engine/tensors.h"
#include "engine/trainer_impl.h"

namespace st {

namespace {

using Backward = std::function<void(const at::Tensor& d_RD)>;

struct Held : torch::CustomClassHolder {
  explicit Held(Backward given) : backward(std::move(given)) {}
  Backward backward;
};

// From the gradient of a batch's embeddings to those of the encoder, where `backward` adds it.
class EncoderFunction : public torch::autograd::Function<EncoderFunction> {
 public:
  // `anchor` requires a gradient, so that the result does.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& anchor,
                            const at::Tensor& embeddings_RD, const Backward& backward) {
    (void)anchor;
    context->saved_data["held"] = c10::IValue::make_capsule(c10::make_intrusive<Held>(backward));
    // A copy: the pass owns the memory, and ends before the tensors do.
    return embeddings_RD.to(at::kCPU, false, true);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    auto& held = static_cast<Held&>(*context->saved_data["held"].toCapsule());
    const Backward backward = std::exchange(held.backward, nullptr);
    check(backward != nullptr, "ERR_INVALID_ARGUMENT",
          "backward() reached a forward pass of the model for the second time, whose activations were freed after the "
          "first: sum the losses, or call forward() again");
    if (gradients[0].defined()) backward(gradients[0]);
    return {at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

void Trainer::forward(RoutedBatch batch, TensorSpace& space, const std::vector<int64_t>& out,
                      const StepOptions& options) {
  space.put_all(out, [&] {
    impl_->open();
    impl_->encoder->impl().validate(batch);
    impl_->prepare();
    check(!impl_->replicas, "ERR_NOT_IMPLEMENTED", "A loss of tensors is trained by one process alone");
    check(!impl_->scaler, "ERR_NOT_IMPLEMENTED", "A loss of tensors is trained without a loss scaler");
    check(impl_->loss_at(options.loss).loss->needs().external, "ERR_INVALID_ARGUMENT",
          "Only a loss of type Custom is trained by tensors");
    // The pass refers to the batch, so both keep their addresses.
    auto forwarded = std::make_shared<Impl::Forwarded>(impl_.get(), impl_->step, std::move(batch));
    forwarded->pending = impl_->forward(forwarded->batch, options);
    impl_->rows_before += static_cast<uint32_t>(forwarded->batch.rows());
    impl_->counted.tokens += forwarded->batch.tokens();
    std::erase_if(impl_->forwarded, [](const auto& each) { return each.expired(); });
    impl_->forwarded.push_back(forwarded);

    const at::Tensor embeddings_RD = forwarded->pending.outputs.embeddings_RD;
    const Backward backward = [forwarded, options, like = embeddings_RD.options()](const at::Tensor& d_RD) {
      Impl* trainer = forwarded->trainer;
      check(trainer != nullptr, "ERR_DISPOSED", "The optimizer was disposed of before backward()");
      trainer->open();
      check(forwarded->step == trainer->step, "ERR_INVALID_ARGUMENT",
            "The weights were updated between the forward pass and backward(): the gradient would be wrong");
      LossGradients found;
      found.outputs.embeddings_RD = d_RD.to(like).contiguous();
      trainer->backward(forwarded->pending, found, options);
    };
    const at::AutoGradMode with_grad(true);
    const at::Tensor anchor = at::empty({0}).requires_grad_(true);
    const at::Tensor all_RD = EncoderFunction::apply(anchor, embeddings_RD, backward);
    const int64_t rows = forwarded->batch.rows() / forwarded->batch.columns;
    return all_RD.split(rows, 0);
  });
}

void Trainer::bind(TensorSpace& space, const std::map<std::string, int64_t>& parameters) {
  impl_->open();
  impl_->prepare();
  const at::NoGradGuard no_grad;
  impl_->reached = std::make_shared<bool>(false);
  OwnedLoss& loss = *impl_->losses[0];
  const std::vector<TensorInfo> tensors = loss.parameters.layout.tensors();
  check(loss.parameters.flat().is_cpu() || tensors.empty(), "ERR_NOT_IMPLEMENTED",
        "Parameters beside the model are trained on the CPU alone: load the model with device: 'cpu'");
  for (const auto& [name, id] : parameters) {
    const auto tensor = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
    check(tensor != tensors.end(), "ERR_INVALID_TENSORS", "There is no tensor named ", name);
    const at::Tensor& given = space.get(id);
    check(given.sizes() == tensor->shape, "ERR_INVALID_TENSORS", "The tensor for ", name, " has another shape");
    const at::Tensor value = loss.parameters.layout.named_view(loss.parameters.flat(), *tensor);
    value.copy_(given);
    at::Tensor leaf = value.detach().requires_grad_(true);
    // Autograd adds in place, thus to the engine's gradients.
    leaf.mutable_grad() = loss.parameters.layout.named_view(impl_->sets.all.back()->gradients().flat(), *tensor);
    leaf.register_hook([reached = impl_->reached](const at::Tensor&) { *reached = true; });
    space.put(id, leaf);
  }
  impl_->sets.all.back()->loaded(false);
}

StepReport Trainer::update(const StepOptions& options) {
  impl_->open();
  impl_->prepare();
  const at::NoGradGuard no_grad;
  check(options.rates.size() == 1 || options.rates.size() == impl_->sets.weight_decays.size(), "ERR_INVALID_ARGUMENT",
        "Expected one rate or ", impl_->sets.weight_decays.size(), ", one per group");
  // As torch, which skips parameters without a gradient: neither decay nor moments move them. There one by one, here
  // all that are bound together.
  if (impl_->reached) impl_->sets.all.back()->used = std::exchange(*impl_->reached, false);
  {
    const Timer timer(impl_->counted.optimizer_ms);
    impl_->updater->update(impl_->sets, options.rates);
  }
  ++impl_->step;
  impl_->rows_before = 0;
  StepReport out = std::exchange(impl_->counted, {});
  impl_->updater->report(out, at::empty({0, 1}, impl_->encoder->impl().network.parameters().flat().options()));
  return out;
}

void Trainer::zero_gradients() {
  impl_->open();
  impl_->prepare();
  const at::NoGradGuard no_grad;
  for (auto& set : impl_->sets.all) set->drop_gradients();
  if (impl_->reached) *impl_->reached = false;
}

}  // namespace st
