// Modules over token embeddings, for models that have a vector for each token (ColBERT).
#include <ATen/TensorOperators.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linear.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/upload.h"
#include "models/head.h"
#include "ops/activation.h"
#include "ops/pooling.h"
#include "ops/token_pooling.h"

namespace st {

namespace {

// Dense over each token; with `useResidual` the input is added, through a matrix of its own where widths differ.
class TokenDense : public Head {
 public:
  TokenDense(const Config& spec, const std::string& prefix, int64_t width_in, Layout& layout)
      : width_(spec.integer("outFeatures")),
        activation_(parse_activation(spec.string("activation", "tanh"), "a Dense module")),
        residual_(spec.boolean("useResidual", false)) {
    const int64_t in = spec.integer("inFeatures");
    check(in == width_in, "ERR_INVALID_MODEL", "Module ", prefix, "Dense takes ", in, " features but receives ",
          width_in);
    check(width_ >= 1, "ERR_INVALID_MODEL", "Expected at least 1 for the outFeatures of ", prefix, "Dense but found ",
          width_);
    weight_ = layout.add(prefix + "linear.weight", {width_, in}, Group::kDecay);
    if (spec.boolean("bias", true)) bias_ = layout.add(prefix + "linear.bias", {width_}, Group::kNoDecay);
    if (residual_ && in != width_) matrix_ = layout.add(prefix + "residual.weight", {width_, in}, Group::kDecay);
  }
  void forward(HeadState& state) const override {
    const at::Tensor bias = bias_ >= 0 ? state.parameters[bias_] : at::Tensor();
    const at::Tensor x_TD = state.tokens_TD;
    state.tokens_TD = activate(activation_, at::linear(x_TD, state.parameters[weight_], bias));
    if (!residual_) return;
    state.tokens_TD = state.tokens_TD + (matrix_ >= 0 ? at::linear(x_TD, state.parameters[matrix_]) : x_TD);
  }
  bool add_to(HeadGraph&) const override { return false; }
  int64_t width() const override { return 0; }
  int64_t token_width() const override { return width_; }
  bool takes_fixed() const override { return false; }
  std::vector<ParamId> parameters() const override {
    std::vector<ParamId> out = {weight_};
    for (const ParamId id : {bias_, matrix_}) {
      if (id >= 0) out.push_back(id);
    }
    return out;
  }

 private:
  int64_t width_;
  Activation activation_;
  bool residual_;
  ParamId weight_ = -1, bias_ = -1, matrix_ = -1;
};

class TokenNormalize : public Head {
 public:
  explicit TokenNormalize(int64_t width) : width_(width) {}
  void forward(HeadState& state) const override { state.tokens_TD = normalized(state.tokens_TD); }
  bool add_to(HeadGraph&) const override { return false; }
  int64_t width() const override { return 0; }
  int64_t token_width() const override { return width_; }
  bool takes_fixed() const override { return false; }

 private:
  int64_t width_;
};

// Keeps the tokens of the batch for which keeps(row, token) holds.
template <typename Keeps>
void select_tokens(HeadState& state, const Keeps& keeps) {
  const Rows& batch = state.pass.input.batch;
  std::vector<int64_t> kept;
  std::vector<int32_t> offsets = {0};
  for (int64_t row = 0; row < batch.rows(); ++row) {
    for (int32_t t = batch.offsets[row]; t < batch.offsets[row + 1]; ++t) {
      if (keeps(row, t)) kept.push_back(t);
    }
    offsets.push_back(static_cast<int32_t>(kept.size()));
  }
  if (static_cast<int64_t>(kept.size()) < batch.tokens()) {
    const at::Tensor places = upload<int64_t>(kept, state.tokens_TD.device());
    state.tokens_TD = at::index_select(state.tokens_TD, 0, places);
  }
  state.offsets = std::move(offsets);
}

std::vector<int32_t> sorted_ids(const Config& spec, const char* key) {
  std::vector<int32_t> out;
  for (const double id : spec.numbers(key)) out.push_back(static_cast<int32_t>(id));
  std::sort(out.begin(), out.end());
  return out;
}

bool contains(const std::vector<int32_t>& sorted, int32_t id) {
  return std::binary_search(sorted.begin(), sorted.end(), id);
}

// Which tokens are compared: of a query also those of its expansion, which nobody may attend to; not those of the skip
// list; of documents, where there is such a list, `keepIds` alone.
class MultiVectorMask : public Head {
 public:
  MultiVectorMask(const Config& spec, int64_t width)
      : width_(width),
        skipped_(sorted_ids(spec, "skipIds")),
        kept_(sorted_ids(spec, "keepIds")),
        of_queries_(spec.boolean("skipsQueries", false)),
        of_documents_(spec.boolean("skipsDocuments", true)) {}
  void forward(HeadState& state) const override {
    const Rows& batch = state.pass.input.batch;
    check(state.offsets.empty(), "ERR_INVALID_MODEL", "Expected one MultiVectorMask, before modules that join tokens");
    select_tokens(state, [&](int64_t row, int32_t t) {
      const bool query = batch.is_query(row);
      const int32_t id = batch.ids[t];
      if ((query ? of_queries_ : of_documents_) && contains(skipped_, id)) return false;
      if (query) return true;
      return t - batch.offsets[row] < batch.attended_of(row) && (kept_.empty() || contains(kept_, id));
    });
  }
  bool add_to(HeadGraph&) const override { return false; }
  int64_t width() const override { return 0; }
  int64_t token_width() const override { return width_; }
  bool takes_fixed() const override { return false; }

 private:
  int64_t width_;
  std::vector<int32_t> skipped_, kept_;
  bool of_queries_, of_documents_;
};

class HierarchicalTokenPooling : public Head {
 public:
  HierarchicalTokenPooling(const Config& spec, int64_t width)
      : width_(width),
        options_{spec.number("poolFactor", 1), spec.integer("numProtectedTokens", 1),
                 spec.boolean("normalizeEmbeddings", true)},
        of_queries_(spec.boolean("poolsQueries", false)),
        of_documents_(spec.boolean("poolsDocuments", true)) {
    check_token_pooling(options_);
  }
  void forward(HeadState& state) const override {
    leave_hidden_out(state);
    const Rows& batch = state.pass.input.batch;
    std::vector<bool> chosen;
    for (int64_t row = 0; row < batch.rows(); ++row)
      chosen.push_back(batch.is_query(row) ? of_queries_ : of_documents_);
    PooledRows pooled = pool_tokens(state.tokens_TD, state.offsets, options_, chosen);
    state.tokens_TD = std::move(pooled.x_TD);
    state.offsets = std::move(pooled.offsets);
  }
  bool add_to(HeadGraph&) const override { return false; }
  int64_t width() const override { return 0; }
  int64_t token_width() const override { return width_; }
  bool takes_fixed() const override { return false; }

 private:
  int64_t width_;
  TokenPooling options_;
  bool of_queries_, of_documents_;
};

}  // namespace

void leave_hidden_out(HeadState& state) {
  if (!state.offsets.empty()) return;
  const Rows& batch = state.pass.input.batch;
  select_tokens(state, [&](int64_t row, int32_t t) { return t - batch.offsets[row] < batch.attended_of(row); });
}

std::unique_ptr<Head> make_token_head(const Config& spec, const std::string& prefix, int64_t token_width,
                                      Layout& layout) {
  const std::string& type = spec.string("type");
  if (type == "MultiVectorMask") return std::make_unique<MultiVectorMask>(spec, token_width);
  if (type == "HierarchicalTokenPooling") return std::make_unique<HierarchicalTokenPooling>(spec, token_width);
  if (spec.string("input", "sentence_embedding") != "token_embeddings") return nullptr;
  if (type == "Dense") return std::make_unique<TokenDense>(spec, prefix, token_width, layout);
  if (type == "Normalize") return std::make_unique<TokenNormalize>(token_width);
  fail("ERR_NOT_IMPLEMENTED", "Module ", type, " is not built over token embeddings: expected Dense or Normalize");
}

}  // namespace st
