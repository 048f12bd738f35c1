#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>

#include "core/error.h"
#include "core/upload.h"
#include "losses/loss.h"

namespace st {

namespace {

// The tokens that the decoder reads, and what it has to predict: the token that follows, unless it is padding.
struct Texts {
  DecoderInput input;
  at::Tensor predicts_P, labels_P;
};

Texts texts_of(const Targets& targets, int64_t padding, at::Device device) {
  std::vector<int64_t> ids, positions, rows, predicts, labels, slots;
  Texts out;
  out.input.rows = targets.rows();
  out.input.length = 0;
  for (int64_t row = 0; row < out.input.rows; ++row) {
    const int64_t length = targets.offsets[row + 1] - targets.offsets[row] - 1;
    out.input.length = std::max(out.input.length, length);
  }
  for (int64_t row = 0; row < out.input.rows; ++row) {
    const int64_t begin = targets.offsets[row], end = targets.offsets[row + 1];
    for (int64_t t = begin; t + 1 < end; ++t) {
      if (targets.ids[t + 1] != padding) {
        predicts.push_back(static_cast<int64_t>(ids.size()));
        labels.push_back(targets.ids[t + 1]);
      }
      ids.push_back(targets.ids[t]);
      positions.push_back(t - begin);
      rows.push_back(row);
      slots.push_back(row * out.input.length + t - begin);
    }
  }
  out.input.ids_T = upload<int64_t>(ids, device);
  out.input.positions_T = upload<int64_t>(positions, device);
  out.input.rows_T = upload<int64_t>(rows, device);
  out.input.slots_T = upload<int64_t>(slots, device);
  out.predicts_P = upload<int64_t>(predicts, device);
  out.labels_P = upload<int64_t>(labels, device);
  return out;
}

// TSDAE (Wang et al. 2021): a decoder writes the original text back from the embedding of the damaged one, which is all
// that its cross-attention sees.
class DenoisingAutoEncoder : public Loss {
 public:
  DenoisingAutoEncoder(const Config& spec, int64_t embedding_width, LossLayout layout)
      : tied_(spec.boolean("tieEncoderDecoder", true)),
        decoder_(layout.language_models().decoder(spec.member("config"),
                                                  {tied_, spec.boolean("tieWordEmbeddings", true)}, embedding_width,
                                                  layout.layout, layout.prefix + "decoder.")) {
    require_options(spec, {"config", "tieEncoderDecoder", "tieWordEmbeddings"});
  }

  LossNeeds needs() const override { return {.encoder = tied_, .targets = true, .capturable = false}; }
  void initialize(Parameters& parameters, uint64_t seed) const override { decoder_->initialize(parameters, seed); }

  void check_batch(const LossInput& input) const override {
    require_columns("DenoisingAutoEncoderLoss", input, 1, 1);
    const Targets& targets = input.targets;
    check(targets.rows() == input.rows(), "ERR_INVALID_DATA", "DenoisingAutoEncoderLoss needs ", input.rows(),
          " original texts but found ", targets.rows());
    for (int64_t row = 0; row < input.rows(); ++row) {
      const int64_t length = targets.offsets[row + 1] - targets.offsets[row];
      check(length <= decoder_->positions(), "ERR_INVALID_DATA", "Original text ", row, " has ", length,
            " tokens but the decoder has only ", decoder_->positions(), " positions");
    }
    for (int32_t id : targets.ids) {
      check(id >= 0, "ERR_INVALID_DATA", "Expected token ids of the original texts but found ", id);
    }
  }

  LossValue forward(const LossInput& input) const override {
    Texts texts = texts_of(input.targets, decoder_->padding_token(), input.embeddings_CBD.device());
    // No token to predict: nothing to learn, where torch's mean over nothing is NaN.
    if (texts.labels_P.numel() == 0) return at::zeros({}, input.embeddings_CBD.options().requires_grad(false));
    texts.input.sentence_RD = input.column(0);
    texts.input.training = input.training;
    texts.input.draw = input.draw;
    VocabularyLayer layer = decoder_->last_layer({input.parameters, input.encoder}, texts.input);
    layer.x_TD = at::index_select(layer.x_TD, 0, texts.predicts_P);
    return vocabulary_loss(layer, texts.labels_P);
  }

 private:
  bool tied_;
  std::unique_ptr<LanguageModelDecoder> decoder_;
};

}  // namespace

std::unique_ptr<Loss> make_denoising_auto_encoder(const Config& spec, int64_t width, LossLayout layout) {
  return std::make_unique<DenoisingAutoEncoder>(spec, width, layout);
}

}  // namespace st
