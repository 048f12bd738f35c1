#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/parameters.h"
#include "core/philox.h"
#include "layers/language_model.h"
#include "layers/text_decoder.h"

namespace st {

// What a loss needs from the engine besides pooled embeddings. The engine computes only what is requested.
struct LossNeeds {
  bool layers = false;          // the embeddings of every layer
  bool tokens = false;          // the hidden states of all tokens
  bool encoder = false;         // the encoder's own parameters, for tied weights
  bool targets = false;         // the tokens to predict
  bool twin = false;            // column 0 passes a trained copy of the encoder (its tensors: loss.model1.*)
  bool decoder = false;         // the decoder of the model
  bool external = false;        // the caller computes value and gradients: there is no forward()
  bool teacher = false;         // labels are embeddings with the width of the batch's
  bool vectors = false;         // the vectors of all tokens, of a model that has no other embedding
  bool reconstruction = false;  // what a SparseAutoEncoder makes of its latents again
  int64_t width = 0;            // lowest width of the embeddings
  // Whether the device work of forward() is the same for every batch of the same shapes: it reads no value back,
  // draws no random number, and of the batch uses only labels, guide_CBG and text_ids_CB.
  bool capturable = true;
  // Whether adding one number to the scores of all pairs changes nothing. The bias of a cross-encoder's classifier
  // then has no gradient and gets none. Its terms cancel except for rounding, which Adam would turn into steps of
  // full length.
  bool ignores_shift = false;
};

// Tokens that a loss predicts, on the host; -100 is not predicted.
struct Targets {
  std::span<const int32_t> ids;
  std::span<const int32_t> offsets;  // of rows: empty, or rising from 0 to the number of ids
  int64_t tokens = 0;                // of the rows that were embedded

  int64_t rows() const { return std::max<int64_t>(0, static_cast<int64_t>(offsets.size()) - 1); }
};

struct LossInput {
  at::Tensor embeddings_CBD;                  // pooled, by column; C = 1 and B = rows where the batch has lists
  at::Tensor labels;                          // [B] or [B, ...], master dtype or int64; undefined without labels
  const std::vector<at::Tensor>& parameters;  // the loss's own, by ParamId

  // Optional parts of a batch; undefined where it lacks them.
  at::Tensor guide_CBG = {};                          // embeddings of the same texts by a guide model
  at::Tensor text_ids_CB = {};                        // int64: equal numbers stand for equal texts
  at::Tensor lists_Q1 = {};                           // int64: rows lists[q] ... lists[q + 1] - 1 belong to query q
  const std::vector<int32_t>* host_labels = nullptr;  // labels that are integers, on the host

  // Present if LossNeeds requests them.
  std::vector<at::Tensor> layers_CBD = {};  // before the first layer, then after each layer; the last is embeddings_CBD
  at::Tensor tokens_TD = {};
  // The vectors of all rows, column by column, and where each row begins: [columns * rows + 1]. embeddings_CBD then has
  // sizes alone.
  at::Tensor vectors_TD = {};
  std::span<const int32_t> vector_offsets = {};
  at::Tensor reconstruction_CBPD = {};             // see models/sparse_auto_encoder.h
  std::map<std::string, at::Tensor> encoder = {};  // by tensor name, "0.embeddings.word_embeddings.weight"
  Targets targets = {};
  TextDecoder* decoder = nullptr;

  DropoutKey dropout = {};  // the tokens of this batch
  bool training = false;    // whether dropout is on
  uint64_t draw = 0;        // a number of its own for each training batch, for losses that sample

  at::Tensor column(int64_t index) const { return embeddings_CBD.select(0, index); }
  int64_t columns() const { return embeddings_CBD.size(0); }
  int64_t rows() const { return embeddings_CBD.size(1); }
};

// The number that is optimised, and named numbers that are only logged. A component that is part of the total is
// logged too.
struct LossValue {
  at::Tensor total;
  std::vector<std::pair<std::string, at::Tensor>> logged;

  LossValue(at::Tensor total) : total(std::move(total)) {}
  LossValue(at::Tensor total, std::vector<std::pair<std::string, at::Tensor>> logged)
      : total(std::move(total)), logged(std::move(logged)) {}
};

// The place of a loss's parameters, and the maker of its networks. Parameter names in a trainer start with "loss.",
// followed by the dataset's name where there are several losses.
struct LossLayout {
  Layout& layout;
  std::string prefix = "loss.";
  const LanguageModelMakers* makers = nullptr;

  // Of the networks over the vocabulary that a loss may train.
  const LanguageModelMakers& language_models() const;
  ParamId add(const std::string& name, std::vector<int64_t> shape, Group group) {
    return layout.add(prefix + name, std::move(shape), group);
  }
};

// A loss gets embeddings, not the model. autograd differentiates forward().
class Loss {
 public:
  virtual ~Loss() = default;
  virtual LossNeeds needs() const { return {}; }
  // Throws ERR_INVALID_DATA when the columns or labels of a batch do not fit.
  virtual void check_batch(const LossInput& input) const = 0;
  virtual LossValue forward(const LossInput& input) const = 0;
  // Fills in initial values of the loss's own parameters.
  virtual void initialize(Parameters&, uint64_t /*seed*/) const {}
};

using LossFactory =
    std::function<std::unique_ptr<Loss>(const Config& spec, int64_t embedding_width, LossLayout layout)>;

// Chooses by the `type` of the spec. Its other members are the loss's options. Unknown options are refused.
std::unique_ptr<Loss> make_loss(const Config& spec, int64_t embedding_width, LossLayout layout);

// For check_batch.
void require_columns(const char* loss, const LossInput& input, int64_t least, int64_t most);
void require_labels(const char* loss, const LossInput& input, bool integers);
// Checks labels: from 0 to classes - 1, one for each row; or the probability of each class: [rows, classes].
void require_classes(const char* loss, const LossInput& input, int64_t classes);
// For factories: throws ERR_UNKNOWN_OPTION unless every member of the spec is `type` or one of `names`.
void require_options(const Config& spec, const std::vector<std::string>& names);
// For initialize(): fills as torch.nn.Linear does, uniform within 1 / sqrt(inputs).
void initialize_linear(Parameters& parameters, ParamId weight, ParamId bias, int64_t inputs, uint64_t seed);

}  // namespace st
