#pragma once

#include <memory>
#include <vector>

#include "engine/training_pass.h"

namespace st {

// Rows of a batch that pass a network together. All chunks, in order, make up the batch.
struct Chunk {
  Route route;
  size_t pass;  // number of the run of columns with this route: each has activations of its own
  int64_t begin, end;
  MaskRows rows;  // their numbers
};

// Limits of a chunk; 0 = no limit.
struct ChunkLimits {
  int64_t rows = 0, tokens = 0;
};

// Which rows of a batch this process has, where others have as many: consecutive ones of every column.
struct Part {
  int64_t rank = 0, size = 1;
};

// `routes`: of each column.
std::vector<Chunk> plan_chunks(const Rows& batch, const std::vector<Route>& routes, const ChunkLimits& limits,
                               const Part& part = {});

// Passes a batch through networks, chunk by chunk, with the result of a single pass: dropout masks depend on the row
// in the whole batch. This is gradient caching (Gao et al. 2021, "Scaling deep contrastive learning batch size under
// memory limited setup"). forward() keeps only the activations of the last chunk of each pass. backward() recomputes
// the others.
class ChunkedPass {
 public:
  ChunkedPass(const Rows& batch, std::vector<Chunk> chunks, const DropoutKey& dropout, const Network::Wanted& wanted);

  Network::Output forward();
  // `gradients`: by set. `layer_done` is called where all rows pass one network.
  void backward(const Network::Output& gradient, const std::vector<Gradients*>& gradients,
                const LayerDone& layer_done = {});

 private:
  Network::Output run(const Chunk& chunk, const Input& input) const;
  DropoutKey key_of(const Chunk& chunk) const;
  bool keeps_state(size_t index) const;

  const Rows& batch_;
  std::vector<Chunk> chunks_;
  DropoutKey dropout_;
  Network::Wanted wanted_;
  std::vector<int32_t> offsets_;                       // of the vectors of all rows, see Network::Output
  std::vector<std::unique_ptr<TrainingPass>> passes_;  // by Chunk::pass
};

}  // namespace st
