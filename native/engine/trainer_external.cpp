// A step in two halves, for a loss that the caller computes. It has to wait for the device: embeddings come from it,
// gradients go to it.
#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/scalar_tensor.h>

#include <algorithm>

#include "core/error.h"
#include "core/sizes.h"
#include "engine/trainer_impl.h"

namespace st {

void Trainer::embed(RoutedBatch batch, float* out, int64_t size, const StepOptions& options) {
  Network& network = impl_->open();
  impl_->encoder->impl().validate(batch);
  impl_->prepare();
  const int64_t expected = checked_product("the embeddings", {batch.rows(), network.embedding_width()});
  check(size == expected, "ERR_INVALID_ARGUMENT", "Expected ", expected, " elements for the embeddings but found ",
        size);
  check(impl_->loss_at(options.loss).loss->needs().external, "ERR_INVALID_ARGUMENT",
        "Only a loss of type Custom is trained through embed and apply");
  // The pass refers to the batch, so both keep their addresses.
  impl_->held = std::make_unique<Impl::Held>();
  impl_->held->batch = std::move(batch);
  impl_->held->pending = impl_->forward(impl_->held->batch, options);
  const at::Tensor& embeddings_RD = impl_->held->pending.outputs.embeddings_RD;
  at::from_blob(out, embeddings_RD.sizes(), at::kFloat).copy_(embeddings_RD);
}

std::optional<StepReport> Trainer::apply(const ExternalLoss& external, const StepOptions& options) {
  impl_->open();
  const std::unique_ptr<Impl::Held> held = std::move(impl_->held);
  check(held != nullptr, "ERR_INVALID_ARGUMENT", "Expected a call of embed before apply");
  const at::Tensor& embeddings_RD = held->pending.outputs.embeddings_RD;
  check(static_cast<int64_t>(external.embeddings.size()) == embeddings_RD.numel(), "ERR_INVALID_ARGUMENT", "Expected ",
        embeddings_RD.numel(), " gradients of embeddings but found ", external.embeddings.size());
  const double scale = options.loss_scale * (impl_->replicas ? impl_->replicas->share() : 1);
  const auto scaled = [&](const std::vector<float>& values, at::IntArrayRef shape) {
    // from_blob takes no const memory, but nothing writes to it.
    const at::Tensor view = at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
    const at::Tensor gradient = view.to(embeddings_RD.options()) * scale;
    return impl_->scaler ? gradient * impl_->scaler->scale() : gradient;
  };
  LossGradients found;
  found.outputs.embeddings_RD = scaled(external.embeddings, embeddings_RD.sizes());
  const OwnedLoss& loss = impl_->loss_at(options.loss);
  const std::vector<TensorInfo> tensors = loss.parameters.layout.tensors();
  found.parameters.resize(tensors.size());
  for (const auto& [name, values] : external.parameters) {
    const auto tensor = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
    check(tensor != tensors.end(), "ERR_INVALID_TENSORS", "There is no tensor named ", name);
    const int64_t numel = loss.parameters.layout.span(name).count;
    check(static_cast<int64_t>(values.size()) == numel, "ERR_INVALID_TENSORS", "Expected ", numel, " gradients for ",
          name, " but found ", values.size());
    found.parameters[static_cast<size_t>(tensor - tensors.begin())] = scaled(values, tensor->shape);
  }
  impl_->backward(held->pending, found, options);
  const auto number = [](double value) { return at::scalar_tensor(value, at::kDouble); };
  found.value.total = number(external.loss);
  for (const auto& [name, value] : external.components) found.value.logged.emplace_back(name, number(value));
  return impl_->finish(held->batch, embeddings_RD, found.value, options);
}

}  // namespace st
