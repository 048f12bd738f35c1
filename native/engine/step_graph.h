#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>

#include "core/workspace.h"
#include "engine/loss_pass.h"
#include "engine/trainer.h"
#include "ops/graph.h"
#include "ops/static_input.h"

namespace st {

// Training steps without their update: encoder, loss and both backward passes. What they queue on a device is recorded
// once for each shape of batch, and repeated for every further batch of that shape.
class StepGraphs {
 public:
  // What a recording depends on.
  struct Key {
    StepShape shape;
    int64_t columns = 1;
    int64_t loss = 0;
    double loss_scale = 1;
    auto operator<=>(const Key&) const = default;
  };
  // What a step leaves on the device; the next repetition of the same recording overwrites it.
  struct Left {
    at::Tensor embeddings_RD;
    LossValue value{at::Tensor()};
  };
  // Reads of the batch no values but those in `input` and `given`, and adds to gradients that stay where they are.
  using Step = std::function<Left(const Input& input, const LossTensors& given)>;

  // Of each shape so many steps are made as they come before one is recorded: shapes that are seen once or twice are
  // not worth it, and libraries prepare themselves in the first. The recording that was not used for longest makes
  // room.
  static constexpr int64_t kWarmUps = 2;
  static constexpr size_t kMostShapes = 64;

  // Recorder and uploader of a CUDA device are made by the first step.
  explicit StepGraphs(at::Device device) : device_(device) {}
  StepGraphs(at::Device device, std::unique_ptr<Recorder> recorder, std::unique_ptr<Uploader> uploader,
             size_t most_shapes = kMostShapes);

  // Makes a step. `workspace`: what `step` takes its memory from; a recording gets one of its own. A step that cannot
  // be recorded is made as it comes, now and later; out of memory is thrown.
  Left run(const PackedBatch& batch, const DropoutKey& dropout, const Key& key, Workspace& workspace, const Step& step);
  // Notes a step that was made without this.
  void pass_by(const std::string& reason) { ++counts_["eager: " + reason]; }

  // Steps that were made: "repeated" (with the one that follows a recording at once), "warm-up", "eager: <reason>".
  // "recorded" counts recordings.
  const std::map<std::string, int64_t>& counts() const { return counts_; }

 private:
  struct Shape {
    Shape(const Key& key, at::Device device) : key(key), memory(key.shape, device) {}
    Key key;
    StaticInput memory;
    int64_t seen = 0;
    Rows padded;  // of the batch that was recorded
    std::unique_ptr<RecordedWork> work;
    Left left;
    std::string refused;  // why it cannot be recorded
  };
  Shape& shape_of(const Key& key);
  Left make(const PackedBatch& batch, Shape& shape, const Step& step);
  void record(const PackedBatch& batch, Shape& shape, Workspace& workspace, const Step& step);

  at::Device device_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Uploader> uploader_;
  size_t most_shapes_ = kMostShapes;
  std::list<Shape> shapes_;  // the last used first
  std::map<Key, std::list<Shape>::iterator> by_key_;
  std::map<std::string, int64_t> counts_;
};

// Why a step is not recorded, null where it may be: what differs between batches of one shape must be on the device.
// `fixed`: whether the network takes an input that is fixed.
const char* unrecorded(const LossNeeds& needs, const PackedBatch& batch, const StepOptions& options, bool fixed);

}  // namespace st
