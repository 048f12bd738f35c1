#include "engine/decoding.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/device.h"
#include "core/error.h"
#include "core/profile.h"
#include "core/upload.h"
#include "ops/vocabulary_loss.h"

namespace st {

namespace {

// What the decoder reads of the target texts, and what it has to predict.
struct Texts {
  Rows rows;  // each text one token to the right, behind the token that begins it
  std::vector<int64_t> places, labels;
};

// A token of config.json.
int64_t checked_token(const char* key, const std::optional<int64_t>& token, int64_t vocabulary) {
  check(token.has_value(), "ERR_INVALID_MODEL", "Expected ", key, " in config.json, found none");
  check(*token < vocabulary, "ERR_INVALID_MODEL", "Expected ", key, " below vocab_size ", vocabulary,
        " in config.json, found ", *token);
  return *token;
}

Texts texts_of(const GeneratorSpec& spec, int64_t vocabulary, std::span<const int32_t> ids,
               std::span<const int32_t> offsets) {
  const int64_t start = checked_token("decoder_start_token_id", spec.start, vocabulary);
  Texts out;
  out.rows.offsets.assign(offsets.begin(), offsets.end());
  out.rows.ids.reserve(ids.size());
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    for (int32_t t = offsets[row]; t < offsets[row + 1]; ++t) {
      int64_t before = t == offsets[row] ? start : ids[t - 1];
      // It stands for tokens that are not predicted.
      if (before < 0) before = checked_token("pad_token_id", spec.padding, vocabulary);
      out.rows.ids.push_back(static_cast<int32_t>(before));
      if (ids[t] < 0) continue;
      out.places.push_back(t);
      out.labels.push_back(ids[t]);
    }
  }
  return out;
}

// One pass of a decoder: forward, loss, and all the way back.
struct Work : torch::CustomClassHolder {
  Work(Network& network, const Input& memory_input, const BatchDecoder::Options& options, Texts given)
      : network(network),
        options(options),
        texts(std::move(given)),
        input(texts.rows, network.device()),
        memory{memory_input, {}, {}},
        pass{.input = input,
             .parameters = network.parameters(),
             .workspace = network.decoder_workspace(),
             .training = options.gradients != nullptr,
             .dropout = options.dropout,
             .drops = options.training,
             .recompute = options.recompute,
             .memory = &memory},
        kept(network.decoder()->make_kept()) {}

  bool trains_head() const {
    return options.gradients != nullptr && (*options.gradients)[network.decoder()->head().matrix].defined();
  }
  at::Tensor forward(const at::Tensor& states_SD);
  at::Tensor backward(const at::Tensor& d_loss, at::ScalarType type);

  Network& network;
  BatchDecoder::Options options;
  Texts texts;
  Input input;
  Memory memory;
  Pass pass;
  std::unique_ptr<Decoder::Kept> kept;
  at::Tensor d_x_TD, d_matrix_VD;  // for a gradient of 1
};

at::Tensor Work::forward(const at::Tensor& states_SD) {
  const ProfileScope scope("decoder");
  const at::NoGradGuard no_grad;
  network.decoder_workspace().reset();
  memory.x_SD = states_SD.detach().to(network.compute());
  const at::Tensor out_TD = network.decoder()->forward(pass, *kept);
  const auto [matrix, scale] = network.decoder()->head();
  const at::Device device = network.device();
  const at::AutoGradMode mode(options.gradients != nullptr);
  const at::Tensor x_TD = out_TD.to(states_SD.scalar_type()).detach();
  const at::Tensor matrix_VD = network.parameters().in_master(matrix).detach();
  if (options.gradients != nullptr) x_TD.requires_grad_(true);
  if (trains_head()) matrix_VD.requires_grad_(true);
  at::Tensor predicting_TD = x_TD;
  if (texts.places.size() < texts.rows.ids.size()) {
    predicting_TD = at::index_select(x_TD, 0, upload<int64_t>(texts.places, device));
  }
  const at::Tensor value =
      vocabulary_loss({predicting_TD * scale, matrix_VD, {}}, upload<int64_t>(texts.labels, device));
  if (options.gradients == nullptr) return value;
  std::vector<at::Tensor> wanted = {x_TD};
  if (trains_head()) wanted.push_back(matrix_VD);
  const std::vector<at::Tensor> found = torch::autograd::grad({value}, wanted);
  d_x_TD = found[0];
  if (trains_head()) d_matrix_VD = found[1];
  return value.detach();
}

at::Tensor Work::backward(const at::Tensor& d_loss, at::ScalarType type) {
  const ProfileScope scope("decoder, backward");
  const at::NoGradGuard no_grad;
  Gradients& gradients = *options.gradients;
  if (d_matrix_VD.defined()) gradients[network.decoder()->head().matrix].add_(d_matrix_VD.mul_(d_loss));
  memory.d_x_SD = at::zeros_like(memory.x_SD);
  network.decoder()->backward(pass, *kept, gradients, (d_x_TD * d_loss).to(network.compute()));
  const bool reads_all = network.decoder()->head().matrix == network.parameters().token_table;
  if (reads_all) {
    gradients.touch_all();
  } else {
    gradients.touch(texts.rows.ids);
  }
  return memory.d_x_SD.to(type);
}

struct DecoderLoss : torch::autograd::Function<DecoderLoss> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& states_SD,
                            const c10::intrusive_ptr<Work>& work) {
    context->saved_data["work"] = c10::IValue::make_capsule(work);
    return work->forward(states_SD);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_out) {
    const c10::intrusive_ptr<torch::CustomClassHolder> work = context->saved_data["work"].toCapsule();
    return {static_cast<Work&>(*work).backward(d_out[0], d_out[0].scalar_type()), at::Tensor()};
  }
};

}  // namespace

at::Tensor BatchDecoder::loss(const at::Tensor& states_SD, std::span<const int32_t> ids,
                              std::span<const int32_t> offsets) {
  Texts texts = texts_of(network_.generator(), network_.model().sizes().vocabulary, ids, offsets);
  // No token to predict: nothing to learn, where torch's mean over nothing is NaN.
  if (texts.places.empty()) return at::zeros({}, states_SD.options().requires_grad(false));
  // Postponed updates may be of any row that the last layer reads.
  network_.parameters().settle();
  return DecoderLoss::apply(states_SD, c10::make_intrusive<Work>(network_, input_, options_, std::move(texts)));
}

}  // namespace st
