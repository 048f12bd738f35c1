#include "engine/loss_pass.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>

#include <optional>

#include "core/error.h"
#include "core/sizes.h"
#include "core/upload.h"
#include "engine/decoding.h"
#include "models/language_model.h"

namespace st {

namespace {

template <typename T>
at::Tensor upload_as(at::ScalarType master, const std::vector<T>& values, at::Device device) {
  return master == at::kDouble ? upload<double>(values, device) : upload<float>(values, device);
}

at::Tensor label_tensor(const LossData& batch, at::ScalarType master, at::Device device) {
  at::Tensor out;
  if (auto* floats = std::get_if<std::vector<float>>(&batch.labels)) {
    out = upload_as(master, *floats, device);
  } else if (auto* integers = std::get_if<std::vector<int32_t>>(&batch.labels)) {
    out = upload<int64_t>(*integers, device);
  } else {
    return out;
  }
  const int64_t expected = checked_product("labelShape", batch.label_shape);
  check(batch.label_shape.empty() || expected == out.numel(), "ERR_INVALID_ARGUMENT", "Expected ", expected,
        " labels for labelShape but found ", out.numel());
  return batch.label_shape.empty() ? out : out.view(batch.label_shape);
}

// The tensors that a batch may hold for a loss, in the types that losses take.
struct BatchTensors {
  at::Tensor labels, guide_CBG, text_ids_CB;
};

BatchTensors batch_tensors(const PackedBatch& batch, at::ScalarType master, at::Device device) {
  BatchTensors out{label_tensor(batch, master, device), {}, {}};
  if (batch.guide_width > 0) {
    out.guide_CBG = upload_as(master, batch.guide, device).view({batch.columns, -1, batch.guide_width});
  }
  if (!batch.text_ids.empty()) out.text_ids_CB = upload<int64_t>(batch.text_ids, device).view({batch.columns, -1});
  return out;
}

BatchTensors batch_tensors(const LossTensors& given, int64_t columns, at::ScalarType master) {
  BatchTensors out;
  const at::Tensor& labels = given.labels;
  if (labels.defined()) out.labels = labels.to(labels.scalar_type() == at::kInt ? at::kLong : master);
  if (given.guide_RG.defined()) {
    out.guide_CBG = given.guide_RG.to(master).view({columns, -1, given.guide_RG.size(1)});
  }
  if (given.text_ids_R.defined()) out.text_ids_CB = given.text_ids_R.to(at::kLong).view({columns, -1});
  return out;
}

// Leaves of all tensors that a loss may be differentiated by.
struct Leaves {
  std::vector<at::Tensor> all;

  at::Tensor add(const at::Tensor& value, bool with_grad) {
    const at::Tensor leaf = value.detach();
    if (with_grad) {
      leaf.requires_grad_(true);
      all.push_back(leaf);
    }
    return leaf;
  }
};

// What of a batch lies on the host.
void add_host_data(LossInput& input, const PackedBatch& batch, const LossNeeds& needs) {
  input.host_labels = std::get_if<std::vector<int32_t>>(&batch.labels);
  if (!batch.lists.empty()) input.lists_Q1 = upload<int64_t>(batch.lists, at::kCPU);
  if (needs.targets) input.targets = {batch.target_ids, batch.target_offsets, batch.tokens()};
}

at::Tensor by_column(const at::Tensor& x_RD, int64_t columns) {
  return x_RD.view({columns, x_RD.size(0) / columns, -1});
}

// No numbers, in the shape of an embedding for each row.
at::Tensor sizes_of(const at::Tensor& vectors_TD, int64_t columns, int64_t rows) {
  return at::empty({1}, vectors_TD.options()).expand({columns, rows / columns, vectors_TD.size(1)});
}

}  // namespace

OwnedLoss::OwnedLoss(const std::string& name, const Config& spec, int64_t embedding_width, at::Device device,
                     at::ScalarType master, uint64_t seed)
    : loss(
          make_loss(spec, embedding_width,
                    LossLayout{parameters.layout, name.empty() ? "loss." : "loss." + name + ".", &language_models()})) {
  parameters.allocate(device, master);
  const at::NoGradGuard no_grad;
  loss->initialize(parameters, seed);
}

namespace {

LossGradients run(const OwnedLoss& owned, const LossContext& context, const Network::Output& outputs, double scale,
                  bool with_grad) {
  const PackedBatch& batch = context.batch;
  const LossNeeds needs = owned.loss->needs();
  check(!needs.external, "ERR_INVALID_ARGUMENT", "A loss that the caller computes is trained through embed and apply");
  const int64_t columns = batch.columns;
  const at::Tensor& embeddings_RD = outputs.embeddings_RD;
  const at::ScalarType master = embeddings_RD.scalar_type();
  const at::AutoGradMode mode(with_grad);

  Leaves leaves;
  std::vector<at::Tensor> parameters = owned.parameters.layout.views(owned.parameters.flat());
  for (at::Tensor& parameter : parameters) parameter = leaves.add(parameter, with_grad);
  const BatchTensors from = context.given != nullptr ? batch_tensors(*context.given, columns, master)
                                                     : batch_tensors(batch, master, embeddings_RD.device());
  const at::Tensor leaf_RD = leaves.add(embeddings_RD, with_grad);
  const int64_t rows = static_cast<int64_t>(outputs.offsets.size()) - 1;
  LossInput input{.embeddings_CBD = needs.vectors ? sizes_of(leaf_RD, columns, rows) : by_column(leaf_RD, columns),
                  .labels = from.labels,
                  .parameters = parameters,
                  .guide_CBG = from.guide_CBG,
                  .text_ids_CB = from.text_ids_CB,
                  .dropout = context.dropout,
                  .training = context.training,
                  .draw = context.dropout.key};
  add_host_data(input, batch, needs);
  if (needs.vectors) {
    input.vectors_TD = leaf_RD;
    input.vector_offsets = outputs.offsets;
  }
  for (size_t i = 0; i + 1 < outputs.layers_RD.size(); ++i) {
    input.layers_CBD.push_back(by_column(leaves.add(outputs.layers_RD[i], with_grad), columns));
  }
  if (needs.layers) input.layers_CBD.push_back(input.embeddings_CBD);
  if (needs.tokens) input.tokens_TD = leaves.add(outputs.tokens_TD, with_grad);
  if (needs.reconstruction) {
    const at::Tensor leaf_RPD = leaves.add(outputs.reconstruction_RPD, with_grad);
    input.reconstruction_CBPD = leaf_RPD.unflatten(0, {columns, leaf_RPD.size(0) / columns});
  }
  std::vector<std::string> names;
  if (needs.encoder) {
    Parameters& encoder = context.network.parameters();
    encoder.settle();
    for (const TensorInfo& tensor : encoder.layout.tensors()) {
      names.push_back(tensor.name);
      input.encoder[tensor.name] = leaves.add(encoder.in_master(tensor), with_grad);
    }
  }

  std::optional<BatchDecoder> decoder;
  if (needs.decoder) {
    decoder.emplace(context.network, batch,
                    BatchDecoder::Options{context.dropout, context.training, context.recompute,
                                          with_grad ? context.gradients : nullptr});
    input.decoder = &*decoder;
  }

  if (context.given == nullptr) owned.loss->check_batch(input);
  const LossValue value = owned.loss->forward(input);
  LossGradients out;
  out.value.total = value.total.detach();
  for (const auto& [name, number] : value.logged) out.value.logged.emplace_back(name, number.detach());
  if (!with_grad) return out;

  // A batch may leave the loss unconnected to its input. Then it has no gradient.
  std::vector<at::Tensor> found(leaves.all.size());
  if (value.total.requires_grad()) {
    at::Tensor scaled = value.total * scale;
    if (context.gradient_scale.defined()) scaled = scaled * context.gradient_scale;
    found = torch::autograd::grad({scaled}, leaves.all, {}, std::nullopt, false, true);
  }
  auto next = found.begin();
  for (size_t i = 0; i < parameters.size(); ++i) out.parameters.push_back(*next++);
  out.outputs.embeddings_RD = *next++;
  for (size_t i = 0; i + 1 < outputs.layers_RD.size(); ++i) out.outputs.layers_RD.push_back(*next++);
  if (needs.layers) out.outputs.layers_RD.emplace_back();
  if (needs.tokens) out.outputs.tokens_TD = *next++;
  if (needs.reconstruction) out.outputs.reconstruction_RPD = *next++;
  for (const std::string& name : names) {
    if (next->defined()) out.encoder[name] = *next;
    ++next;
  }
  return out;
}

}  // namespace

LossGradients differentiate(const OwnedLoss& owned, const LossContext& context, const Network::Output& outputs,
                            double scale) {
  return run(owned, context, outputs, scale, true);
}

void check_loss(const OwnedLoss& owned, const PackedBatch& batch, int64_t embedding_width) {
  const int64_t columns = batch.columns, rows = batch.rows() / columns;
  const at::ScalarType master = owned.parameters.flat().scalar_type();
  const BatchTensors from = batch_tensors(batch, master, at::kCPU);
  const std::vector<at::Tensor> none;
  LossInput input{.embeddings_CBD = at::empty({1}, master).expand({columns, rows, embedding_width}),
                  .labels = from.labels,
                  .parameters = none,
                  .guide_CBG = from.guide_CBG,
                  .text_ids_CB = from.text_ids_CB,
                  .training = true};
  add_host_data(input, batch, owned.loss->needs());
  owned.loss->check_batch(input);
}

LossValue value_of(const OwnedLoss& owned, const LossContext& context, const Network::Output& outputs) {
  return run(owned, context, outputs, 1, false).value;
}

}  // namespace st
