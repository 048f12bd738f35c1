#pragma once

#include "losses/loss.h"

// One declaration per loss, as in registry.cpp. It is not in loss.h, so that a new loss recompiles no other.
namespace st {

std::unique_ptr<Loss> make_adaptive_layer(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_angle(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_batch_all_triplet(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_batch_hard_soft_margin_triplet(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_batch_hard_triplet(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_batch_semi_hard_triplet(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_contrastive(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_contrastive_tension(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_contrastive_tension_in_batch(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_cosent(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_cosine_similarity(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_csr(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_custom(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_denoising_auto_encoder(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_distill_kl_div(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_embed_distill(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_gist_embed(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_global_orthogonal_regularization(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_margin_mse(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_masked_language_model(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_matryoshka(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_mega_batch_margin(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_mse(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_multiple_negatives_ranking(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_online_contrastive(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_softmax(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_splade(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_token_cross_entropy(const Config&, int64_t, LossLayout);
std::unique_ptr<Loss> make_triplet(const Config&, int64_t, LossLayout);

}  // namespace st
