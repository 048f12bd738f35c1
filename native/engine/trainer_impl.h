#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "engine/chunks.h"
#include "engine/encoder_impl.h"
#include "engine/loss_pass.h"
#include "engine/loss_scaler.h"
#include "engine/replicas.h"
#include "engine/step_graph.h"
#include "engine/trainer.h"
#include "engine/updater.h"

namespace st {

// Prefix of the names of the twin's tensors.
constexpr const char* kTwinPrefix = "loss.model1.";

// The parts of a step, and the state between steps. Trainer combines them to steps.
struct Trainer::Impl {
  Impl(std::shared_ptr<Encoder> shared, const TrainerSpec& given);

  Network& open();
  // The first job creates gradients and moments, because the constructor runs on the JavaScript thread.
  void prepare();
  // By set_groups().
  bool is_frozen(const std::string& name) const;
  const OwnedLoss& loss_at(int64_t index) const;
  // Decides the dropout masks of the next batch.
  DropoutKey dropout_key() const {
    return DropoutKey(spec.seed, static_cast<uint64_t>(step), accumulated, rows_before);
  }
  // The factor of gradients by the loss scaler; undefined = 1.
  at::Tensor gradient_scale() const { return scaler ? scaler->scale() : at::Tensor(); }
  // Value and gradients of a loss, of a batch.
  LossGradients loss_of(const LossContext& context, const Network::Output& outputs, const StepOptions& options);

  // A training batch between its forward and its backward pass.
  struct Pending {
    std::unique_ptr<ChunkedPass> pass;
    Network::Output outputs;
    std::vector<Route> routes;  // of the columns
  };
  Pending forward(const RoutedBatch& batch, const StepOptions& options);
  // Forward pass, loss and backward pass of a recorded step; nothing where this step cannot be recorded.
  std::optional<StepGraphs::Outputs> recorded(const RoutedBatch& batch, const StepOptions& options);
  // Adds the gradients of the batch.
  void backward(Pending& pending, const LossGradients& found, const StepOptions& options);
  // The embeddings of rows that a report describes: of a model with a vector for each token, the first of each row.
  static at::Tensor shown(const PackedBatch& batch, const Network::Output& outputs);
  // Counts the batch. Updates and reports if requested.
  std::optional<StepReport> finish(const RoutedBatch& batch, const at::Tensor& embeddings_RD, const LossValue& value,
                                   const StepOptions& options);

  // Calls copy(layout, flat buffer, range) for each range, with the prefix removed from its name.
  template <typename Copy>
  void for_each(const std::vector<TensorRange>& ranges, const Copy& copy) {
    open();
    prepare();
    for (TensorRange range : ranges) {
      const std::string name = range.name;
      bool found = false;
      for (auto& set : sets.all) {
        at::Tensor flat;
        found = set->find(name, flat, range.name);
        if (!found) continue;
        copy(set->parameters().layout, flat, range);
        break;
      }
      check(found, "ERR_INVALID_TENSORS", "There is no tensor named ", name);
    }
  }

  std::shared_ptr<Encoder> encoder;
  TrainerSpec spec;
  at::ScalarType encoder_precision = at::kFloat, precision = at::kFloat;
  std::vector<std::unique_ptr<OwnedLoss>> losses;
  bool has_twin = false;
  std::unique_ptr<Network> twin;
  TrainedSets sets;
  std::map<std::string, int> groups;
  std::optional<Replicas> replicas;  // where several processes train the model
  std::optional<LossScaler> scaler;
  std::unique_ptr<Updater> updater;
  std::shared_ptr<StepGraphs> graphs;  // null where steps are not recorded
  struct Held {
    RoutedBatch batch;
    Pending pending;
  };
  std::unique_ptr<Held> held;  // between embed() and apply()
  // A batch of Trainer::forward(). Autograd's graph owns it, and with it the activations.
  struct Forwarded {
    Impl* trainer;  // null once that was disposed of
    int64_t step;
    RoutedBatch batch;
    Pending pending;
  };
  std::vector<std::weak_ptr<Forwarded>> forwarded;
  std::shared_ptr<bool> reached;  // by bind(): whether backward() reached bound parameters since the last update
  bool disposed = false;

  int64_t step = 0;          // attempted optimiser steps
  int64_t accumulated = 0;   // batches since the last update
  uint32_t rows_before = 0;  // rows of earlier forward()s of this step: each row has a dropout mask of its own
  StepReport counted;        // the host's counts since the last report

 private:
  void check_rates(const StepOptions& options) const;
  size_t networks() const { return encoder->impl().networks.size(); }
  // Gradients of the loss's own parameters.
  void add_to(Trained& own, const LossGradients& found) const;
  size_t set_of_loss(int64_t index) const { return networks() + has_twin + static_cast<size_t>(index); }
};

}  // namespace st
