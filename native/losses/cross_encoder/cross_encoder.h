#pragma once

#include <memory>
#include <string>

#include "losses/loss.h"
#include "ops/activation.h"

namespace st {

// Losses of cross-encoders: "CrossEncoder.MSELoss" and so on. What they get as embeddings [C, B, numLabels] are logits,
// of pairs whose second text is of column c; where the batch has lists, C = 1 and B counts the documents of all
// queries.
std::unique_ptr<Loss> make_cross_encoder_loss(const Config& spec, int64_t labels, LossLayout layout);

// The option `activationFn` of a spec: what is applied to the logits first.
Activation logit_activation(const Config& spec, const std::string& fallback = "identity");
// Throws ERR_INVALID_ARGUMENT that names the loss unless the model has one label.
void require_one_label(const Config& spec, int64_t labels);
// [C, B], activated, of a model with one label.
at::Tensor scores_CB(const LossInput& input, Activation activation);
// Labels in the type of the scores.
at::Tensor labels_like(const LossInput& input);

// For check_batch: lists that cover the rows, and a label for each row.
void require_lists(const char* loss, const LossInput& input);

// The documents of each query as rows of a table, Q x M, where M is the most documents that a query has.
struct Lists {
  at::Tensor index_QM;  // int64: the batch's row, or its number of rows where a query has no more documents
  at::Tensor mask_QM;   // bool: whether there is a document

  explicit Lists(const LossInput& input);
  int64_t most() const { return mask_QM.size(1); }
  // `values`, one for each row of the batch, in the table; `fill` in the places without a document.
  at::Tensor table(const at::Tensor& values_R, double fill) const;
};

std::unique_ptr<Loss> make_ce_binary_cross_entropy(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_cross_entropy(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_mse(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_margin_mse(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_multiple_negatives_ranking(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_lambda(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_rank_net(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_list_net(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_list_mle(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_plist_mle(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_ce_adr_mse(const Config&, int64_t, LossLayout);

}  // namespace st
