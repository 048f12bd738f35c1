#include "engine/network.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "core/device.h"
#include "core/profile.h"
#include "ops/cuda.h"
#include "ops/linear.h"

namespace st {

namespace {
// Rows are encoded so many tokens at a time on the CPU: enough for the matrix products, and what lies between two
// layers stays near the processor.
constexpr int64_t kBlockTokens = 1024;
}  // namespace

Network::Network(const EncoderSpec& spec)
    : spec_(spec),
      device_(parse_device(spec.device)),
      compute_(parse_dtype(spec.dtype)),
      int8_(spec.dtype == "int8"),
      workspace_(device_) {
  check(!int8_ || (device_.is_cpu() && has_int8_products()), "ERR_UNSUPPORTED",
        "dtype int8 needs a processor with AVX512-VNNI (and SENTENCE_TORCH_CPU, if set, avx512 or amx)");
  Layout& layout = parameters_.layout;
  model_ = make_model(spec.architecture, spec.config, spec.pooler, "0.", layout);
  parameters_.token_table = model_->token_table();
  for (size_t i = 0; i < spec.modules.size(); ++i) {
    // In one pass with the pooling before it.
    if (!heads_.empty() && spec.modules[i].string("type") == "Normalize" && heads_.back()->normalize()) continue;
    heads_.push_back(make_head(spec.modules[i], std::to_string(i + 1) + ".", model_->sizes().width, width_, layout));
    width_ = heads_.back()->width();
    for (ParamId id : heads_.back()->parameters()) head_parameters_.push_back(id);
  }
  check(width_ > 0, "ERR_INVALID_MODEL", "Expected a Pooling module after the transformer");
  layout.finish();
}

void Network::prepare() {
  if (parameters_.flat().defined()) return;
  if (device_.is_cuda()) cuda::configure();
  parameters_.allocate(device_, compute_);
}

void Network::set_compute(at::ScalarType compute) {
  if (compute == compute_) return;
  compute_ = compute;
  parameters_.set_compute(compute);
}

bool Network::takes_fixed() const {
  return model_->sizes().positions >= 2 &&
         std::all_of(heads_.begin(), heads_.end(), [](const auto& head) { return head->takes_fixed(); });
}

void Network::validate(const PackedBatch& batch) const {
  const ModelSizes& sizes = model_->sizes();
  batch.validate(sizes.vocabulary, sizes.token_types, sizes.positions);
}

at::Tensor Network::run_heads(const Pass& pass, const at::Tensor& tokens_TD,
                              const std::vector<at::Tensor>& parameters) const {
  HeadState state{pass, tokens_TD, {}, parameters};
  for (const auto& head : heads_) head->forward(state);
  return state.sentence_RD;
}

at::Tensor Network::encode(const PackedBatch& batch, EncoderOutput output) {
  const at::NoGradGuard no_grad;
  if (!device_.is_cpu()) return encode(Input(batch, device_), output);
  std::vector<at::Tensor> blocks;
  for (int64_t begin = 0; begin < batch.rows();) {
    int64_t end = begin + 1;
    while (end < batch.rows() && batch.offsets[end + 1] - batch.offsets[begin] <= kBlockTokens) ++end;
    const bool all = begin == 0 && end == batch.rows();
    const PackedBatch block = all ? PackedBatch() : batch.slice(begin, end);
    blocks.push_back(encode(Input(all ? batch : block, device_), output));
    begin = end;
  }
  return blocks.size() == 1 ? blocks[0] : at::cat(blocks);
}

at::Tensor Network::encode(const Input& input, EncoderOutput output) {
  parameters_.settle(input.batch.ids);
  workspace_.reset();
  const Pass pass{.input = input, .parameters = parameters_, .workspace = workspace_, .int8 = int8_};
  const at::Tensor tokens_TD = model_->forward(pass);
  const at::ScalarType master = master_dtype(compute_);
  if (output == EncoderOutput::kPoolerOutput) return model_->pooler_output(pass, tokens_TD).to(master);
  // Copied: the next block of rows goes into the same memory.
  if (output == EncoderOutput::kTokenEmbeddings) return tokens_TD.to(master, false, true);
  return run_heads(pass, tokens_TD.to(master), parameters_.layout.views(parameters_.flat()));
}

std::unique_ptr<Network> Network::copy() {
  auto out = std::make_unique<Network>(spec_);
  out->prepare();
  out->set_compute(compute_);
  parameters_.settle();
  out->parameters_.flat().copy_(parameters_.flat());
  out->parameters_.refresh();
  return out;
}

Network::Cut Network::cut(const Pass& pass, const at::Tensor& x_TD) const {
  const ProfileScope scope("heads");
  const at::Tensor tokens_TD = x_TD.to(master_dtype(compute_)).detach().requires_grad_(true);
  const at::AutoGradMode with_grad(true);
  return {tokens_TD, run_heads(pass, tokens_TD, leaves_)};
}

Network::Output Network::forward_training(const Input& input, const DropoutKey& dropout, const Wanted& wanted) {
  const at::NoGradGuard no_grad;
  forget();
  check(!input.fixed || (!wanted.tokens && !wanted.recompute), "ERR_LIBTORCH",
        "A step that is recorded keeps its activations and gives no states of tokens");
  parameters_.settle(input.batch.ids);
  workspace_.reset();
  wanted_ = wanted;
  const Pass pass{input, parameters_, workspace_, true, dropout, wanted.drops, wanted.recompute, wanted.hold_bias};
  const at::Tensor x_TD = model_->forward(pass);
  leaves_ = parameters_.layout.views(parameters_.flat());
  for (ParamId id : head_parameters_) leaves_[id] = leaves_[id].detach().requires_grad_(true);
  Output out;
  if (wanted.layers) {
    for (const at::Tensor& layer_TD : model_->layer_outputs()) {
      cuts_.push_back(cut(pass, layer_TD));
      out.layers_RD.push_back(cuts_.back().embeddings_RD.detach());
    }
  } else {
    cuts_.push_back(cut(pass, x_TD));
  }
  out.embeddings_RD = cuts_.back().embeddings_RD.detach();
  if (wanted.tokens) out.tokens_TD = cuts_.back().tokens_TD.detach();
  return out;
}

void Network::backward(const Input& input, const DropoutKey& dropout, const Output& gradient, Gradients& gradients) {
  std::vector<at::Tensor> d_layers_TD;
  for (size_t i = 0; i < cuts_.size(); ++i) {
    const bool last = i + 1 == cuts_.size();
    at::Tensor d_RD = gradient.layers_RD.empty() ? at::Tensor() : gradient.layers_RD[i];
    if (last && gradient.embeddings_RD.defined()) {
      d_RD = d_RD.defined() ? d_RD + gradient.embeddings_RD : gradient.embeddings_RD;
    }
    at::Tensor d_TD;
    if (d_RD.defined()) {
      const ProfileScope scope("heads, backward");
      std::vector<at::Tensor> wanted = {cuts_[i].tokens_TD};
      for (ParamId id : head_parameters_) wanted.push_back(leaves_[id]);
      const std::vector<at::Tensor> found =
          torch::autograd::grad({cuts_[i].embeddings_RD}, wanted, {d_RD}, std::nullopt, false, wanted_.hold_bias);
      d_TD = found[0];
      const at::NoGradGuard no_grad;
      for (size_t k = 0; k < head_parameters_.size(); ++k) {
        if (found[k + 1].defined()) at::Tensor(gradients[head_parameters_[k]]).add_(found[k + 1]);
      }
    }
    const at::NoGradGuard no_grad;
    if (last && gradient.tokens_TD.defined()) d_TD = d_TD.defined() ? d_TD + gradient.tokens_TD : gradient.tokens_TD;
    d_layers_TD.push_back(d_TD.defined() ? d_TD.to(compute_).contiguous() : d_TD);
  }
  const at::NoGradGuard no_grad;
  at::Tensor d_x_TD = d_layers_TD.back();
  if (!d_x_TD.defined()) d_x_TD = at::zeros_like(cuts_.back().tokens_TD).to(compute_);
  d_layers_TD.back() = at::Tensor();
  if (cuts_.size() == 1) d_layers_TD.clear();
  gradients.touch(input.batch.ids);
  model_->backward({input, parameters_, workspace_, true, dropout, wanted_.drops, wanted_.recompute}, gradients, d_x_TD,
                   d_layers_TD);
  forget();
}

void Network::forget() {
  cuts_.clear();
  leaves_.clear();
}

void Network::dispose() {
  parameters_.dispose();
  forget();
  workspace_ = Workspace(device_);
}

}  // namespace st
