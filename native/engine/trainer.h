#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/encoder.h"
#include "engine/loss_scaler.h"
#include "engine/report.h"
#include "engine/spec.h"

namespace st {

class TensorSpace;

// Losses, gradients and optimiser over one encoder. The constructor throws ERR_BUSY when the encoder already has a
// trainer. Calls belong on the executor thread, except: the constructor; tensors(), at any time; set_groups() and
// memory(), before the first call of anything else.
class Trainer {
 public:
  Trainer(std::shared_ptr<Encoder> encoder, const TrainerSpec& spec);
  ~Trainer();

  std::vector<TensorInfo> tensors() const;
  void set_groups(std::vector<double> weight_decays, std::map<std::string, int> groups);
  // Of batches of so many columns and rows of each. Throws ERR_NOT_IMPLEMENTED on a GPU, and for losses that read more
  // than embeddings.
  TrainingMemory memory(int64_t columns, int64_t rows) const;
  void load(const std::vector<TensorRange>& ranges);
  void dump(const std::vector<TensorRange>& ranges);
  std::optional<StepReport> step(const RoutedBatch& batch, const StepOptions& options);
  // A step in two halves, for a loss that the caller computes. `out` has `size` floats. Anything but a load() may
  // come in between. A step or another embed() drops the first half. Other calls keep it.
  void embed(RoutedBatch batch, float* out, int64_t size, const StepOptions& options);
  std::optional<StepReport> apply(const ExternalLoss& external, const StepOptions& options);
  // The same for a loss that is written with tensors. Each column's embeddings become a tensor; backward() of what is
  // made of them adds to the encoder's gradients. Several may be under way. Where it fails, the tensors have failed.
  void forward(RoutedBatch batch, TensorSpace& space, const std::vector<int64_t>& out, const StepOptions& options);
  // The loss's own parameters, by full name, take the values of tensors, which become these parameters: backward()
  // adds to their gradients, and update() changes them.
  void bind(TensorSpace& space, const std::map<std::string, int64_t>& parameters);
  // Clips, updates and zeroes the gradients that were added. forward() is not to be followed by backward() any more.
  StepReport update(const StepOptions& options);
  void zero_gradients();
  Evaluation evaluate(const RoutedBatch& batch, int64_t loss = 0);
  // Of several processes: gives all of them the weights of rank 0, and those of its losses.
  void copy_weights();
  std::vector<int64_t> counters();
  void set_counters(const std::vector<int64_t>& counters);
  // Nothing where losses are not scaled. With the counters, what a later trainer needs to go on.
  std::optional<LossScaler::State> loss_scaler();
  void set_loss_scaler(const LossScaler::State& state);
  // Frees gradients, moments and loss parameters, and releases the encoder. Every later call throws ERR_DISPOSED.
  void dispose();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace st
