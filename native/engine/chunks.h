#pragma once

#include <memory>
#include <vector>

#include "engine/training_pass.h"

namespace st {

// Rows of a batch that pass a network together. All chunks, in order, make up the batch.
struct Chunk {
  size_t part;  // index of the parameter set: 0 = the encoder, 1 = its twin
  Network* network;
  int64_t begin, end;
};

struct ChunkPlan {
  int64_t rows = 0, tokens = 0;  // limits per chunk; 0 = no limit
  Network* twin = nullptr;       // takes the first column
};

std::vector<Chunk> plan_chunks(const Rows& batch, Network& network, const ChunkPlan& plan);

// Passes a batch through networks, chunk by chunk, with the result of a single pass: dropout masks depend on the row
// in the whole batch. This is gradient caching (Gao et al. 2021, "Scaling deep contrastive learning batch size under
// memory limited setup"). forward() keeps only the activations of each network's last chunk. backward() recomputes
// the others.
class ChunkedPass {
 public:
  ChunkedPass(const Rows& batch, std::vector<Chunk> chunks, const DropoutKey& dropout, const Network::Wanted& wanted);

  Network::Output forward();
  // `gradients`: by part.
  void backward(const Network::Output& gradient, const std::vector<Gradients*>& gradients);

 private:
  Network::Output run(const Chunk& chunk, const Input& input) const;
  DropoutKey key_of(const Chunk& chunk) const;
  bool keeps_state(size_t index) const;

  const Rows& batch_;
  std::vector<Chunk> chunks_;
  DropoutKey dropout_;
  Network::Wanted wanted_;
  std::vector<int32_t> offsets_;                       // of the vectors of all rows, see Network::Output
  std::vector<std::unique_ptr<TrainingPass>> passes_;  // by part
};

}  // namespace st
