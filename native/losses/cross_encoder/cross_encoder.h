#pragma once

#include <memory>
#include <string>

#include "losses/loss.h"
#include "ops/activation.h"

namespace st {

// Losses of cross-encoders: "CrossEncoder.MSELoss" and so on. Their embeddings [C, B, numLabels] are the logits of
// pairs. The second text of a pair is from column c. Where the batch has lists, C = 1 and B counts the documents of
// all queries.
std::unique_ptr<Loss> make_cross_encoder_loss(const Config& spec, int64_t labels, LossLayout layout);

// The option `activationFn` of a spec: a function of the logits, which is applied first.
Activation logit_activation(const Config& spec, const std::string& fallback = "identity");
// Throws ERR_INVALID_ARGUMENT that names the loss unless the model has one label.
void require_one_label(const Config& spec, int64_t labels);
// [C, B], activated scores of a model with one label.
at::Tensor scores_CB(const LossInput& input, Activation activation);
// Labels in the type of the scores.
at::Tensor labels_like(const LossInput& input);

// For check_batch: checks that lists cover the rows, and that each row has a label.
void require_lists(const char* loss, const LossInput& input);

// The documents of each query as rows of a table, Q x M, where M is the highest number of documents of a query.
struct Lists {
  at::Tensor index_QM;  // int64: the batch's row, or its number of rows where the query has no further documents
  at::Tensor mask_QM;   // bool: whether the place has a document

  explicit Lists(const LossInput& input);
  int64_t most() const { return mask_QM.size(1); }
  // Puts `values`, one for each row of the batch, into the table, and `fill` into places without a document.
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
