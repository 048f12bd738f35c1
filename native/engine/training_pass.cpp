#include "engine/training_pass.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>

#include "core/device.h"
#include "core/error.h"
#include "core/profile.h"
#include "core/upload.h"
#include "engine/token_table.h"

namespace st {

TrainingPass::TrainingPass(Network& network)
    : network_(network), workspace_(std::exchange(network.workspace_, Workspace(network.device_))) {
  ++network_.passes_;
}

TrainingPass::~TrainingPass() {
  --network_.passes_;
  // Other passes may have allocated memory of their own meanwhile. The larger one is kept. A disposed network keeps
  // none.
  const bool disposed = !network_.parameters_.flat().defined();
  if (!disposed && workspace_.bytes() > network_.workspace_.bytes()) std::swap(workspace_, network_.workspace_);
}

TrainingPass::Cut TrainingPass::cut(const Pass& pass, const at::Tensor& x_TD) const {
  const ProfileScope scope("heads");
  const auto leaf = [&](const at::Tensor& of_TD) {
    return of_TD.to(master_dtype(network_.compute_)).detach().requires_grad_(true);
  };
  Cut out{.tokens_TD = leaf(x_TD), .embeddings_RD = {}, .outputs_TD = {}, .offsets = {}};
  if (network_.reads_outputs_) {
    const std::vector<at::Tensor>& outputs_TD = kept_->outputs_TD;
    for (size_t i = 0; i + 1 < outputs_TD.size(); ++i) out.outputs_TD.push_back(leaf(outputs_TD[i]));
    out.outputs_TD.push_back(out.tokens_TD);
  }
  const at::AutoGradMode with_grad(true);
  const LatentsWanted latents{
      .trains = wanted_.drops, .reconstructs = wanted_.reconstruction, .column_rows = wanted_.column_rows};
  HeadState state = network_.run_heads(wanted_.chain, pass, out.tokens_TD, out.outputs_TD, leaves_, rows_KD_, latents);
  out.reconstruction_RPD = state.reconstruction_RPD;
  out.embeddings_RD = network_.is_multi_vector() ? state.tokens_TD : state.sentence_RD;
  if (network_.is_multi_vector()) out.offsets = std::move(state.offsets);
  return out;
}

Network::Output TrainingPass::forward(const Input& input, const DropoutKey& dropout, const Network::Wanted& wanted) {
  const at::NoGradGuard no_grad;
  forget();
  check(!wanted.layers || !network_.reads_outputs_, "ERR_INVALID_ARGUMENT",
        "A loss that reads the embeddings of each layer and WeightedLayerPooling, which mixes layers, exclude each "
        "other");
  check(!wanted.layers || !network_.counts_passes_, "ERR_INVALID_ARGUMENT",
        "A loss that reads the embeddings of each layer and SparseAutoEncoder, which counts them as those of passes, "
        "exclude each other");
  check(!input.fixed || (!wanted.tokens && !wanted.recompute), "ERR_LIBTORCH",
        "A step that is recorded keeps its activations and gives no states of tokens");
  settle(input.batch, network_.head_parameters_, network_.parameters_);
  workspace_.reset();
  kept_ = network_.model_->make_kept();
  wanted_ = wanted;
  const Pass pass{input,   network_.parameters_, workspace_,       true,
                  dropout, wanted.drops,         wanted.recompute, wanted.hold_bias};
  const at::Tensor x_TD = network_.model_->forward(pass, *kept_);
  leaves_ = network_.parameters_.layout.views(network_.parameters_.flat());
  for (ParamId id : network_.head_parameters_) leaves_[id] = leaves_[id].detach().requires_grad_(true);
  rows_KD_ = network_.head_rows();
  if (rows_KD_.defined()) rows_KD_.requires_grad_(true);
  Network::Output out;
  if (wanted.layers) {
    for (const at::Tensor& layer_TD : kept_->outputs_TD) {
      cuts_.push_back(cut(pass, layer_TD));
      out.layers_RD.push_back(cuts_.back().embeddings_RD.detach());
    }
  } else {
    cuts_.push_back(cut(pass, x_TD));
  }
  out.embeddings_RD = cuts_.back().embeddings_RD.detach();
  out.offsets = cuts_.back().offsets;
  if (wanted.reconstruction) out.reconstruction_RPD = cuts_.back().reconstruction_RPD.detach();
  if (wanted.tokens) out.tokens_TD = cuts_.back().tokens_TD.detach();
  return out;
}

std::vector<at::Tensor> TrainingPass::d_of_heads(const Cut& cut, const at::Tensor& d_RD, const at::Tensor& d_RPD,
                                                 Gradients& gradients) const {
  std::vector<at::Tensor> wanted = cut.outputs_TD;
  if (wanted.empty()) wanted = {cut.tokens_TD};
  const size_t states = wanted.size();
  std::vector<at::Tensor> outputs, d_outputs;
  if (d_RD.defined()) {
    outputs.push_back(cut.embeddings_RD);
    d_outputs.push_back(d_RD);
  }
  if (d_RPD.defined()) {
    outputs.push_back(cut.reconstruction_RPD);
    d_outputs.push_back(d_RPD);
  }
  if (outputs.empty()) return std::vector<at::Tensor>(states);
  const ProfileScope scope("heads, backward");
  for (ParamId id : network_.head_parameters_) wanted.push_back(leaves_[id]);
  if (rows_KD_.defined()) wanted.push_back(rows_KD_);
  const bool some_unused = wanted_.hold_bias || network_.reads_outputs_ || network_.chains() > 1;
  std::vector<at::Tensor> found = torch::autograd::grad(outputs, wanted, d_outputs, std::nullopt, false, some_unused);
  const at::NoGradGuard no_grad;
  for (size_t k = 0; k < network_.head_parameters_.size(); ++k) {
    const at::Tensor& d = found[states + k];
    const at::Tensor to = gradients[network_.head_parameters_[k]];
    if (d.defined() && to.defined()) to.add_(d);
  }
  if (read_table(network_.head_parameters_, network_.parameters_)) gradients.touch_all();
  if (rows_KD_.defined()) add_rows(*network_.rows_, found.back(), gradients);
  found.resize(states);
  return found;
}

void TrainingPass::add_rows(const ParameterRows& rows, const at::Tensor& d_KD, Gradients& gradients) const {
  const at::Tensor to_VD = gradients[rows.matrix];
  if (!to_VD.defined()) return;
  const std::vector<int64_t> places(rows.rows.begin(), rows.rows.end());
  at::Tensor(to_VD).index_add_(0, upload<int64_t>(places, to_VD.device()), d_KD);
  if (rows.matrix == network_.parameters_.token_table) gradients.touch(rows.rows);
}

void TrainingPass::backward(const Input& input, const DropoutKey& dropout, const Network::Output& gradient,
                            Gradients& gradients, const LayerDone& layer_done) {
  std::vector<at::Tensor> d_layers_TD;  // outputs of all layers, or of the last one
  for (size_t i = 0; i < cuts_.size(); ++i) {
    const Cut& cut = cuts_[i];
    const bool last = i + 1 == cuts_.size();
    at::Tensor d_RD = gradient.layers_RD.empty() ? at::Tensor() : gradient.layers_RD[i];
    if (last && gradient.embeddings_RD.defined()) {
      d_RD = d_RD.defined() ? d_RD + gradient.embeddings_RD : gradient.embeddings_RD;
    }
    const at::Tensor d_RPD = last ? gradient.reconstruction_RPD : at::Tensor();
    std::vector<at::Tensor> d_states_TD = d_of_heads(cut, d_RD, d_RPD, gradients);
    const at::NoGradGuard no_grad;
    at::Tensor& d_tokens_TD = d_states_TD.back();
    if (last && gradient.tokens_TD.defined()) {
      d_tokens_TD = d_tokens_TD.defined() ? d_tokens_TD + gradient.tokens_TD : gradient.tokens_TD;
    }
    for (const at::Tensor& d_TD : d_states_TD) {
      d_layers_TD.push_back(d_TD.defined() ? d_TD.to(network_.compute_).contiguous() : d_TD);
    }
  }
  const at::NoGradGuard no_grad;
  at::Tensor d_x_TD = d_layers_TD.back();
  if (!d_x_TD.defined()) d_x_TD = at::zeros_like(cuts_.back().tokens_TD).to(network_.compute_);
  d_layers_TD.back() = at::Tensor();
  if (d_layers_TD.size() == 1) d_layers_TD.clear();
  gradients.touch(input.batch.ids);
  Pass pass{input, network_.parameters_, workspace_, true, dropout, wanted_.drops, wanted_.recompute};
  if (layer_done) pass.layer_done = &layer_done;
  network_.model_->backward(pass, *kept_, gradients, d_x_TD, d_layers_TD);
  forget();
}

void TrainingPass::forget() {
  kept_.reset();
  cuts_.clear();
  leaves_.clear();
  rows_KD_ = at::Tensor();
}

}  // namespace st
