#include "models/decoder.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Generator.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "models/bert.h"
#include "models/language_model.h"
#include "ops/activation.h"

namespace st {

namespace {

struct DecoderSizes : TransformerSizes {
  explicit DecoderSizes(const Config& config)
      : TransformerSizes(config), padding_token(config.integer("pad_token_id", 0)), head(masked_bert(config, *this)) {}
  int64_t padding_token;
  LanguageModelSpec head;
};

// Dropout of one pass: masks are a pure function of `draw` and of the order of the calls.
class DecoderDropout {
 public:
  explicit DecoderDropout(const DecoderInput& input)
      : active_(input.training), generator_(at::detail::createCPUGenerator(input.draw)) {}

  // Factors 0 or 1 / (1 - p) of this shape; undefined where nothing is dropped.
  at::Tensor mask(at::IntArrayRef shape, double probability, const at::Tensor& like) {
    if (!active_ || probability == 0) return {};
    // Drawn on the host: a device's generator would draw others.
    const at::TensorOptions here = like.options().requires_grad(false).device(at::kCPU);
    return (at::empty(shape, here).bernoulli_(1 - probability, generator_) / (1 - probability)).to(like.device());
  }

  at::Tensor operator()(const at::Tensor& x, double probability) {
    const at::Tensor factors = mask(x.sizes(), probability, x);
    return factors.defined() ? x * factors : x;
  }

 private:
  bool active_;
  at::Generator generator_;
};

class BertDecoder final : public LanguageModelDecoder {
 public:
  BertDecoder(const DecoderSizes& sizes, DecoderTies ties, Layout& layout, const std::string& prefix)
      : sizes_(sizes),
        network_(layout, prefix, sizes.head.prefix, sizes.head.initial),
        prediction_(network_, sizes.head, ties.words) {
    if (!ties.encoder) {
      network_.add_matrix("bert.embeddings.word_embeddings.weight", sizes_.vocabulary, sizes_.width);
      network_.add_matrix("bert.embeddings.position_embeddings.weight", sizes_.positions, sizes_.width);
      network_.add_matrix("bert.embeddings.token_type_embeddings.weight", sizes_.token_types, sizes_.width);
      network_.add_norm("bert.embeddings.LayerNorm", sizes_.width);
    }
    for (int64_t i = 0; i < sizes_.layers; ++i) {
      const std::string layer = name_of(i);
      if (!ties.encoder) {
        add_attention(layer + ".attention");
        network_.add_linear(layer + ".intermediate.dense", sizes_.width, sizes_.inner);
        network_.add_linear(layer + ".output.dense", sizes_.inner, sizes_.width);
        network_.add_norm(layer + ".output.LayerNorm", sizes_.width);
      }
      add_attention(layer + ".crossattention");
    }
  }

  int64_t positions() const override { return sizes_.positions; }
  int64_t padding_token() const override { return sizes_.padding_token; }
  void initialize(Parameters& parameters, uint64_t seed) const override { network_.initialize(parameters, seed); }

  VocabularyLayer last_layer(const NetworkWeights& weights, const DecoderInput& input) const override {
    Run run{weights, input, DecoderDropout(input)};
    at::Tensor x_TD = network_.norm(weights, "bert.embeddings.LayerNorm", embed(run), sizes_.epsilon);
    x_TD = run.dropout(x_TD, sizes_.dropout);
    for (int64_t i = 0; i < sizes_.layers; ++i) {
      const std::string layer = name_of(i);
      x_TD = output(run, layer + ".attention.output", self_attention(run, layer, x_TD), x_TD);
      x_TD = output(run, layer + ".crossattention.output", cross_attention(run, layer), x_TD);
      const at::Tensor inner_TF =
          activate(sizes_.head.activation, network_.linear(weights, layer + ".intermediate.dense", x_TD));
      x_TD = output(run, layer + ".output", inner_TF, x_TD);
    }
    return prediction_.last_layer(network_, weights, x_TD);
  }

 private:
  // What all layers of one pass share.
  struct Run {
    const NetworkWeights& weights;
    const DecoderInput& input;
    DecoderDropout dropout;
  };

  static std::string name_of(int64_t layer) { return "bert.encoder.layer." + std::to_string(layer); }

  void add_attention(const std::string& name) {
    for (const char* part : {".self.query", ".self.key", ".self.value", ".output.dense"}) {
      network_.add_linear(name + part, sizes_.width, sizes_.width);
    }
    network_.add_norm(name + ".output.LayerNorm", sizes_.width);
  }

  at::Tensor embed(const Run& run) const {
    const auto table = [&](const char* name) {
      return network_.value(run.weights, std::string("bert.embeddings.") + name + "_embeddings.weight");
    };
    // torch.nn.Embedding's padding_idx: the row of [PAD] gets no gradient here.
    return at::embedding(table("word"), run.input.ids_T, sizes_.padding_token) +
           at::embedding(table("position"), run.input.positions_T) + table("token_type").select(0, 0);
  }

  // norm(residual + dropout(W x))
  at::Tensor output(Run& run, const std::string& name, const at::Tensor& x_TI, const at::Tensor& residual_TD) const {
    const at::Tensor y_TD = run.dropout(network_.linear(run.weights, name + ".dense", x_TI), sizes_.dropout);
    return network_.norm(run.weights, name + ".LayerNorm", residual_TD + y_TD, sizes_.epsilon);
  }

  at::Tensor self_attention(Run& run, const std::string& layer, const at::Tensor& x_TD) const {
    const int64_t head = sizes_.width / sizes_.heads, rows = run.input.rows, length = run.input.length;
    const auto padded = [&](const char* name) {
      const at::Tensor y_TD = network_.linear(run.weights, layer + ".attention.self." + name, x_TD);
      const at::Tensor zeros_SD = at::zeros({rows * length, sizes_.width}, y_TD.options());
      return zeros_SD.index_copy(0, run.input.slots_T, y_TD).view({rows, length, sizes_.heads, head}).transpose(1, 2);
    };
    const at::Tensor q_RHLE = padded("query"), k_RHLE = padded("key"), v_RHLE = padded("value");
    const at::Tensor future_LL =
        at::full({length, length}, -std::numeric_limits<double>::infinity(), x_TD.options().requires_grad(false))
            .triu(1);
    at::Tensor scores_RHLL = at::matmul(q_RHLE, k_RHLE.transpose(2, 3)) / std::sqrt(static_cast<double>(head));
    const at::Tensor shares_RHLL = run.dropout(at::softmax(scores_RHLL + future_LL, -1), sizes_.attention_dropout);
    const at::Tensor mixed_SD = at::matmul(shares_RHLL, v_RHLE).transpose(1, 2).reshape({-1, sizes_.width});
    return at::index_select(mixed_SD, 0, run.input.slots_T);
  }

  // There is one key, so each head's share of it is 1 whatever the query: what is left is its value.
  at::Tensor cross_attention(Run& run, const std::string& layer) const {
    const at::Tensor values_RD =
        network_.linear(run.weights, layer + ".crossattention.self.value", run.input.sentence_RD);
    const at::Tensor values_TD = at::index_select(values_RD, 0, run.input.rows_T);
    const int64_t tokens = values_TD.size(0);
    const at::Tensor factors_TH1 = run.dropout.mask({tokens, sizes_.heads, 1}, sizes_.attention_dropout, values_TD);
    if (!factors_TH1.defined()) return values_TD;
    return (values_TD.view({tokens, sizes_.heads, -1}) * factors_TH1).view({tokens, sizes_.width});
  }

  DecoderSizes sizes_;
  OwnNetwork network_;
  PredictionLayers prediction_;
};

}  // namespace

std::unique_ptr<LanguageModelDecoder> make_decoder(const Config& config, DecoderTies ties, int64_t width,
                                                   Layout& layout, const std::string& prefix) {
  const std::string type = config.string("model_type", "bert");
  check(type == "bert", "ERR_NOT_IMPLEMENTED", "A decoder is built for model_type bert, not for ", type);
  const DecoderSizes sizes(config);
  check(width == sizes.width, "ERR_INVALID_MODEL", "Hidden sizes do not match: embeddings have ", width,
        " dimensions, the decoder ", sizes.width);
  return std::make_unique<BertDecoder>(sizes, ties, layout, prefix);
}

}  // namespace st
