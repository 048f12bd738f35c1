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

namespace st {

// What a loss asks of the engine beyond pooled embeddings; nothing of it is computed unless asked for.
struct LossNeeds {
  bool layers = false;    // the embeddings of every layer
  bool tokens = false;    // the states of all tokens
  bool encoder = false;   // the encoder's own parameters, for weights that are tied to them
  bool targets = false;   // the tokens that it predicts
  bool twin = false;      // column 0 goes through a trained copy of the encoder (its tensors: loss.model1.*)
  bool external = false;  // value and gradients come from the caller: there is no forward()
  bool teacher = false;   // labels are embeddings, as wide as those of the batch
  int64_t width = 0;      // least width of the embeddings
  // Whether what forward() queues on a device is the same for every batch of the same shapes: it reads no value back,
  // draws nothing, and of the batch uses labels, guide_CBG and text_ids_CB alone.
  bool capturable = true;
  // Whether the same number added to the scores of all pairs changes nothing. The bias of a cross-encoder's classifier
  // has no gradient then, and gets none: its terms cancel but for rounding, of which Adam would make steps of full
  // length.
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
  at::Tensor embeddings_CBD;  // pooled, by column; C = 1 and B = rows where the batch has lists
  at::Tensor labels;          // [B] or [B, ...], master dtype or int64; undefined where the batch has none
  const std::vector<at::Tensor>& parameters;  // of the loss, by ParamId

  // What batches may bring; undefined where they do not.
  at::Tensor guide_CBG = {};                          // embeddings of the same texts by a guide model
  at::Tensor text_ids_CB = {};                        // int64: equal numbers are equal texts
  at::Tensor lists_Q1 = {};                           // int64: rows lists[q] ... lists[q + 1] - 1 belong to query q
  const std::vector<int32_t>* host_labels = nullptr;  // labels that are integers, on the host

  // By LossNeeds.
  std::vector<at::Tensor> layers_CBD = {};  // before the first layer, then of each; the last is embeddings_CBD
  at::Tensor tokens_TD = {};
  std::map<std::string, at::Tensor> encoder = {};  // by tensor name, "0.embeddings.word_embeddings.weight"
  Targets targets = {};

  DropoutKey dropout = {};  // of this batch
  bool training = false;    // whether to drop
  uint64_t draw = 0;        // a number that each training batch has for its own, for losses that sample

  at::Tensor column(int64_t index) const { return embeddings_CBD.select(0, index); }
  int64_t columns() const { return embeddings_CBD.size(0); }
  int64_t rows() const { return embeddings_CBD.size(1); }
};

// The number that is optimised, and numbers that are only logged, under these names. A component that is part of the
// total is logged too.
struct LossValue {
  at::Tensor total;
  std::vector<std::pair<std::string, at::Tensor>> logged;

  LossValue(at::Tensor total) : total(std::move(total)) {}
  LossValue(at::Tensor total, std::vector<std::pair<std::string, at::Tensor>> logged)
      : total(std::move(total)), logged(std::move(logged)) {}
};

// Where a loss puts its parameters, and who makes networks for it. Names in one trainer start with "loss.", with the
// dataset's name behind it where there are several losses.
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

// A loss sees embeddings, never the model. forward() is differentiated by autograd.
class Loss {
 public:
  virtual ~Loss() = default;
  virtual LossNeeds needs() const { return {}; }
  // Throws ERR_INVALID_DATA when the columns or labels of a batch do not fit.
  virtual void check_batch(const LossInput& input) const = 0;
  virtual LossValue forward(const LossInput& input) const = 0;
  // Initial values of the parameters that the loss owns.
  virtual void initialize(Parameters&, uint64_t /*seed*/) const {}
};

using LossFactory =
    std::function<std::unique_ptr<Loss>(const Config& spec, int64_t embedding_width, LossLayout layout)>;

// By the `type` of the spec; its other members are the loss's options, and unknown ones are refused.
std::unique_ptr<Loss> make_loss(const Config& spec, int64_t embedding_width, LossLayout layout);

// For check_batch.
void require_columns(const char* loss, const LossInput& input, int64_t least, int64_t most);
void require_labels(const char* loss, const LossInput& input, bool integers);
// Labels from 0 to classes - 1, one for each row, or the probability of each class: [rows, classes].
void require_classes(const char* loss, const LossInput& input, int64_t classes);
// For factories: throws ERR_UNKNOWN_OPTION unless every member of the spec is `type` or one of `names`.
void require_options(const Config& spec, const std::vector<std::string>& names);
// For initialize(): as torch.nn.Linear, uniform within 1 / sqrt(inputs).
void initialize_linear(Parameters& parameters, ParamId weight, ParamId bias, int64_t inputs, uint64_t seed);

}  // namespace st
