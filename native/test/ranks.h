#pragma once

#include <functional>
#include <memory>

#include "core/collective.h"
#include "support.h"

namespace st::test {

// A number of a port that is free now.
int64_t free_port();

// How rank `rank` of `size` joins ranks in this process.
CollectiveSpec member(int64_t rank, int64_t size, int64_t port);

// The part of a batch that rank `rank` of `size` has: consecutive rows of every column.
PackedBatch part_of(const PackedBatch& whole, int64_t rank, int64_t size);

// Runs `work` once for each rank, each in a thread of its own, and gives the failures by rank (empty: none).
std::vector<std::string> in_threads(int64_t size, const std::function<void(int64_t rank)>& work);

// The same for ranks that have joined. Fails the test where a rank fails.
void with_ranks(int64_t size, const std::function<void(const std::shared_ptr<Collective>&)>& work);

}  // namespace st::test
