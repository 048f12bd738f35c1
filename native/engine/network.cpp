#include "engine/network.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/device.h"

namespace st {

Network::Network(const EncoderSpec& spec)
    : device_(parse_device(spec.device)), compute_(parse_dtype(spec.dtype)), workspace_(device_) {
  Layout& layout = parameters_.layout;
  model_ = make_model(spec.architecture, spec.config, spec.pooler, "0.", layout);
  for (size_t i = 0; i < spec.modules.size(); ++i) {
    heads_.push_back(make_head(spec.modules[i], std::to_string(i + 1) + ".", model_->sizes().width, width_, layout));
    width_ = heads_.back()->width();
    for (ParamId id : heads_.back()->parameters()) head_parameters_.push_back(id);
  }
  check(width_ > 0, "ERR_INVALID_MODEL", "Expected a Pooling module after the transformer");
  layout.finish();
}

void Network::prepare() {
  if (!parameters_.flat().defined()) parameters_.allocate(device_, compute_);
}

void Network::set_compute(at::ScalarType compute) {
  if (compute == compute_) return;
  compute_ = compute;
  parameters_.set_compute(compute);
}

void Network::validate(const PackedBatch& batch) const {
  const ModelSizes& sizes = model_->sizes();
  batch.validate(sizes.vocabulary, sizes.token_types, sizes.positions);
}

at::Tensor Network::run_heads(const Input& input, const at::Tensor& tokens_TD,
                              const std::vector<at::Tensor>& parameters) const {
  HeadState state{input.batch, tokens_TD, {}, parameters};
  for (const auto& head : heads_) head->forward(state);
  return state.sentence_RD;
}

at::Tensor Network::encode(const Input& input, EncoderOutput output) {
  const at::NoGradGuard no_grad;
  workspace_.reset();
  const Pass pass{input, parameters_, workspace_, false, {}};
  const at::Tensor tokens_TD = model_->forward(pass);
  const at::ScalarType master = master_dtype(compute_);
  if (output == EncoderOutput::kPoolerOutput) return model_->pooler_output(pass, tokens_TD).to(master);
  if (output == EncoderOutput::kTokenEmbeddings) return tokens_TD.to(master);
  return run_heads(input, tokens_TD.to(master), parameters_.layout.views(parameters_.flat()));
}

at::Tensor Network::forward_training(const Input& input, const DropoutKey& dropout) {
  {
    const at::NoGradGuard no_grad;
    workspace_.reset();
    tokens_TD_ = model_->forward({input, parameters_, workspace_, true, dropout}).to(master_dtype(compute_)).detach();
  }
  tokens_TD_.requires_grad_(true);
  leaves_ = parameters_.layout.views(parameters_.flat());
  for (ParamId id : head_parameters_) leaves_[id] = leaves_[id].detach().requires_grad_(true);
  const at::AutoGradMode with_grad(true);
  embeddings_RD_ = run_heads(input, tokens_TD_, leaves_);
  return embeddings_RD_.detach();
}

void Network::backward(const Input& input, const DropoutKey& dropout, const at::Tensor& d_embeddings_RD,
                       Gradients& gradients) {
  std::vector<at::Tensor> wanted = {tokens_TD_};
  for (ParamId id : head_parameters_) wanted.push_back(leaves_[id]);
  const std::vector<at::Tensor> found = torch::autograd::grad({embeddings_RD_}, wanted, {d_embeddings_RD});
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < head_parameters_.size(); ++i) {
    at::Tensor(gradients[head_parameters_[i]]).add_(found[i + 1]);
  }
  model_->backward({input, parameters_, workspace_, true, dropout}, gradients, found[0].to(compute_).contiguous());
  tokens_TD_ = embeddings_RD_ = at::Tensor();
  leaves_.clear();
}

void Network::dispose() {
  parameters_.dispose();
  tokens_TD_ = embeddings_RD_ = at::Tensor();
  leaves_.clear();
  workspace_ = Workspace(device_);
}

}  // namespace st
