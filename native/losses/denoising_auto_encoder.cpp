#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/upload.h"
#include "losses/language_model.h"

namespace st {

namespace {

// The tokens that the decoder reads, all rows one after the other without padding, and what it has to predict.
struct Targets {
  at::Tensor ids_T, positions_T, rows_T, labels_T;
  at::Tensor slots_T;  // place of each token in [rows, length]
  int64_t rows, length;
};

Targets targets_of(const PackedBatch& batch, const at::Tensor& like) {
  std::vector<int64_t> ids, positions, rows, labels, slots;
  Targets out;
  out.rows = static_cast<int64_t>(batch.target_offsets.size()) - 1;
  out.length = 0;
  for (int64_t row = 0; row < out.rows; ++row) {
    out.length = std::max<int64_t>(out.length, batch.target_offsets[row + 1] - batch.target_offsets[row] - 1);
  }
  for (int64_t row = 0; row < out.rows; ++row) {
    const int64_t begin = batch.target_offsets[row], end = batch.target_offsets[row + 1];
    for (int64_t t = begin; t + 1 < end; ++t) {
      ids.push_back(batch.target_ids[t]);
      labels.push_back(batch.target_ids[t + 1]);
      positions.push_back(t - begin);
      rows.push_back(row);
      slots.push_back(row * out.length + t - begin);
    }
  }
  const at::Device device = like.device();
  out.ids_T = upload<int64_t>(ids, device);
  out.positions_T = upload<int64_t>(positions, device);
  out.rows_T = upload<int64_t>(rows, device);
  out.labels_T = upload<int64_t>(labels, device);
  out.slots_T = upload<int64_t>(slots, device);
  return out;
}

// TSDAE (Wang et al. 2021): a decoder writes the original text back from the embedding of the damaged one, which is all
// that its cross-attention sees. BertLMHeadModel with is_decoder and add_cross_attention, post-norm.
class DenoisingAutoEncoder : public Loss {
 public:
  DenoisingAutoEncoder(const Config& spec, int64_t embedding_width, LossLayout layout)
      : sizes_(spec.member("config")),
        network_({layout.layout, layout.prefix + "decoder."}, sizes_.initializer_range),
        head_(network_, sizes_, spec.boolean("tieWordEmbeddings", true)) {
    require_options(spec, {"config", "tieEncoderDecoder", "tieWordEmbeddings"});
    check(embedding_width == sizes_.width, "ERR_INVALID_MODEL", "Hidden sizes do not match: embeddings have ",
          embedding_width, " dimensions, the decoder ", sizes_.width);
    tied_ = spec.boolean("tieEncoderDecoder", true);
    if (!tied_) {
      network_.add("bert.embeddings.word_embeddings.weight", {sizes_.vocabulary, sizes_.width});
      network_.add("bert.embeddings.position_embeddings.weight", {sizes_.positions, sizes_.width});
      network_.add("bert.embeddings.token_type_embeddings.weight", {sizes_.token_types, sizes_.width});
      network_.add_norm("bert.embeddings.LayerNorm", sizes_.width);
    }
    for (int64_t i = 0; i < sizes_.layers; ++i) {
      const std::string layer = name_of(i);
      if (!tied_) {
        add_attention(layer + ".attention");
        network_.add_linear(layer + ".intermediate.dense", sizes_.width, sizes_.inner);
        network_.add_linear(layer + ".output.dense", sizes_.inner, sizes_.width);
        network_.add_norm(layer + ".output.LayerNorm", sizes_.width);
      }
      add_attention(layer + ".crossattention");
    }
  }

  LossNeeds needs() const override { return {.encoder = tied_, .capturable = false}; }
  void initialize(Parameters& parameters, uint64_t seed) const override { network_.initialize(parameters, seed); }

  void check_batch(const LossInput& input) const override {
    require_columns("DenoisingAutoEncoderLoss", input, 1, 1);
    const PackedBatch& batch = *input.batch;
    check(static_cast<int64_t>(batch.target_offsets.size()) == input.rows() + 1, "ERR_INVALID_DATA",
          "DenoisingAutoEncoderLoss needs ", input.rows(), " original texts but found ",
          std::max<int64_t>(0, static_cast<int64_t>(batch.target_offsets.size()) - 1));
    for (int64_t row = 0; row < input.rows(); ++row) {
      const int64_t length = batch.target_offsets[row + 1] - batch.target_offsets[row];
      check(length <= sizes_.positions, "ERR_INVALID_DATA", "Original text ", row, " has ", length,
            " tokens but the decoder has only ", sizes_.positions, " positions");
    }
    for (int32_t id : batch.target_ids) {
      check(id >= 0, "ERR_INVALID_DATA", "Expected token ids of the original texts but found ", id);
    }
  }

  LossValue forward(const LossInput& input) const override {
    const Targets targets = targets_of(*input.batch, input.embeddings_CBD);
    LossDropout dropout(input);
    at::Tensor x_TD = embed(input, targets);
    x_TD = dropout(network_.norm(input, "bert.embeddings.LayerNorm", x_TD, sizes_.epsilon), sizes_.dropout);
    for (int64_t i = 0; i < sizes_.layers; ++i) {
      const std::string layer = name_of(i);
      x_TD = output(input, dropout, layer + ".attention.output", self_attention(input, dropout, layer, targets, x_TD),
                    x_TD);
      x_TD = output(input, dropout, layer + ".crossattention.output", cross_attention(input, dropout, layer, targets),
                    x_TD);
      const at::Tensor inner_TF =
          activate(sizes_.activation, network_.linear(input, layer + ".intermediate.dense", x_TD));
      x_TD = output(input, dropout, layer + ".output", inner_TF, x_TD);
    }
    const at::Tensor logits_TV = head_.logits(network_, input, x_TD);
    return at::cross_entropy_loss(logits_TV, targets.labels_T, {}, at::Reduction::Mean, sizes_.padding_token);
  }

 private:
  static std::string name_of(int64_t layer) { return "bert.encoder.layer." + std::to_string(layer); }

  void add_attention(const std::string& name) {
    for (const char* part : {".self.query", ".self.key", ".self.value", ".output.dense"}) {
      network_.add_linear(name + part, sizes_.width, sizes_.width);
    }
    network_.add_norm(name + ".output.LayerNorm", sizes_.width);
  }

  at::Tensor embed(const LossInput& input, const Targets& targets) const {
    const auto table = [&](const char* name) {
      return network_.value(input, std::string("bert.embeddings.") + name + "_embeddings.weight");
    };
    // torch.nn.Embedding's padding_idx: the row of [PAD] gets no gradient here.
    return at::embedding(table("word"), targets.ids_T, sizes_.padding_token) +
           at::embedding(table("position"), targets.positions_T) + table("token_type").select(0, 0);
  }

  // norm(residual + dropout(W x))
  at::Tensor output(const LossInput& input, LossDropout& dropout, const std::string& name, const at::Tensor& x_TI,
                    const at::Tensor& residual_TD) const {
    const at::Tensor y_TD = dropout(network_.linear(input, name + ".dense", x_TI), sizes_.dropout);
    return network_.norm(input, name + ".LayerNorm", residual_TD + y_TD, sizes_.epsilon);
  }

  at::Tensor self_attention(const LossInput& input, LossDropout& dropout, const std::string& layer,
                            const Targets& targets, const at::Tensor& x_TD) const {
    const int64_t head = sizes_.width / sizes_.heads;
    const auto padded = [&](const char* name) {
      const at::Tensor y_TD = network_.linear(input, layer + ".attention.self." + name, x_TD);
      const at::Tensor zeros_SD = at::zeros({targets.rows * targets.length, sizes_.width}, y_TD.options());
      return zeros_SD.index_copy(0, targets.slots_T, y_TD)
          .view({targets.rows, targets.length, sizes_.heads, head})
          .transpose(1, 2);
    };
    const at::Tensor q_BHLE = padded("query"), k_BHLE = padded("key"), v_BHLE = padded("value");
    const at::Tensor future_LL = at::full({targets.length, targets.length}, -std::numeric_limits<double>::infinity(),
                                          x_TD.options().requires_grad(false))
                                     .triu(1);
    at::Tensor scores_BHLL = at::matmul(q_BHLE, k_BHLE.transpose(2, 3)) / std::sqrt(static_cast<double>(head));
    const at::Tensor shares_BHLL = dropout(at::softmax(scores_BHLL + future_LL, -1), sizes_.attention_dropout);
    const at::Tensor mixed_SD = at::matmul(shares_BHLL, v_BHLE).transpose(1, 2).reshape({-1, sizes_.width});
    return at::index_select(mixed_SD, 0, targets.slots_T);
  }

  // There is one key, so each head's share of it is 1 whatever the query: what is left is its value.
  at::Tensor cross_attention(const LossInput& input, LossDropout& dropout, const std::string& layer,
                             const Targets& targets) const {
    const at::Tensor values_BD = network_.linear(input, layer + ".crossattention.self.value", input.column(0));
    const at::Tensor values_TD = at::index_select(values_BD, 0, targets.rows_T);
    const int64_t tokens = values_TD.size(0);
    const at::Tensor factors_TH1 = dropout.mask({tokens, sizes_.heads, 1}, sizes_.attention_dropout, values_TD);
    if (!factors_TH1.defined()) return values_TD;
    return (values_TD.view({tokens, sizes_.heads, -1}) * factors_TH1).view({tokens, sizes_.width});
  }

  LanguageModelSizes sizes_;
  OwnNetwork network_;
  LanguageModelHead head_;
  bool tied_ = true;
};

}  // namespace

std::unique_ptr<Loss> make_denoising_auto_encoder(const Config& spec, int64_t width, LossLayout layout) {
  return std::make_unique<DenoisingAutoEncoder>(spec, width, layout);
}

}  // namespace st
