#pragma once

#include <memory>
#include <string>

#include "models/head.h"

namespace st {

// A module { type: 'SparseAutoEncoder', inputDim, hiddenDim, k, kAux, normalize, deadThreshold }: of a wide linear
// layer over the sentence embedding the k highest values, where they are above 0 (Wen et al. 2025). Its tensors are
// `encoder.weight`, `pre_bias`, `latent_bias`, and `stats_last_nonzero`: for each latent, how long it has been at rest,
// in passes that train.
//
// Where LatentsWanted asks for it, the head makes its input x again by the same matrix, transposed. The parts of
// HeadState::reconstruction_RPD are {x, again from k values, again from 4 k values}; with kAux > 0 also {what the k
// values leave, again from latents that have rested for more than deadThreshold passes}.
// Source: sentence-transformers, sparse_encoder/modules/sparse_auto_encoder.py.
std::unique_ptr<Head> make_sparse_auto_encoder(const Config& spec, const std::string& prefix, int64_t width_in,
                                               Layout& layout);
// As sentence-transformers makes a new one.
Initial initial_of_auto_encoder(const Config& spec, const std::string& name);

}  // namespace st
