#pragma once

#include "losses/loss.h"
#include "ops/max_sim.h"

// Losses over the vectors of all tokens.
namespace st {

// Chooses by the `type` of the spec, "MultiVector." and the loss's name.
std::unique_ptr<Loss> make_multi_vector_loss(const Config& spec);

namespace multi_vector {

std::unique_ptr<Loss> make_distill_kl_div(const Config& spec);
std::unique_ptr<Loss> make_margin_mse(const Config& spec);
std::unique_ptr<Loss> make_multiple_negatives_ranking(const Config& spec);

// `scores`: maxsim (default), meanmaxsim or xtr, the last with `topK` (256).
MaxSim parse_scores(const Config& spec);

// The vectors of one column, or of columns [first, end).
TokenVectors column(const LossInput& input, int64_t index);
TokenVectors columns(const LossInput& input, int64_t first, int64_t end);

}  // namespace multi_vector

}  // namespace st
