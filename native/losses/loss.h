#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/parameters.h"

namespace st {

struct LossInput {
  at::Tensor embeddings_CBD;  // pooled, by column
  at::Tensor labels;          // [B] or [B, ...], master dtype or int64; undefined where the batch has none
  const std::vector<at::Tensor>& parameters;  // of the loss, by ParamId

  at::Tensor column(int64_t index) const { return embeddings_CBD.select(0, index); }
  int64_t columns() const { return embeddings_CBD.size(0); }
};

// A loss sees only embeddings, never the model. forward() is differentiated by autograd.
class Loss {
 public:
  virtual ~Loss() = default;
  // Throws ERR_INVALID_DATA when the columns or labels of a batch do not fit.
  virtual void check_batch(const LossInput& input) const = 0;
  virtual at::Tensor forward(const LossInput& input) const = 0;
  // Initial values of the parameters that the loss owns.
  virtual void initialize(Parameters&, uint64_t /*seed*/) const {}
};

using LossFactory = std::function<std::unique_ptr<Loss>(const Config& spec, int64_t embedding_width, Layout& layout)>;

// By the `type` of the spec; its other members are the loss's options, and unknown ones are refused.
std::unique_ptr<Loss> make_loss(const Config& spec, int64_t embedding_width, Layout& layout);

// For check_batch.
void require_columns(const char* loss, const LossInput& input, int64_t least, int64_t most);
void require_labels(const char* loss, const LossInput& input, bool integers);
// For factories: throws ERR_UNKNOWN_OPTION unless every member of the spec is `type` or one of `names`.
void require_options(const Config& spec, const std::vector<std::string>& names);

std::unique_ptr<Loss> make_multiple_negatives_ranking(const Config&, int64_t, Layout&);
std::unique_ptr<Loss> make_cosent(const Config&, int64_t, Layout&);
std::unique_ptr<Loss> make_cosine_similarity(const Config&, int64_t, Layout&);
std::unique_ptr<Loss> make_softmax(const Config&, int64_t, Layout&);

}  // namespace st
