#pragma once

#include "losses/loss.h"

namespace st {

std::unique_ptr<Loss> make_adaptive_layer(const Config&, int64_t, LossLayout);

}  // namespace st
