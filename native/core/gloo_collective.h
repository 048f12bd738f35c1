#pragma once

#include <memory>

#include "core/collective.h"

namespace st {

// By LibTorch's c10d: a TCPStore, where the ranks meet, and Gloo, which connects them. See Collective::join.
std::shared_ptr<Collective> join_gloo(const CollectiveSpec& spec);

}  // namespace st
