#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>

#include "core/workspace.h"
#include "engine/loss_pass.h"
#include "engine/report.h"
#include "engine/spec.h"
#include "ops/graph.h"
#include "ops/static_input.h"

namespace st {

// Training steps without their update: encoder, loss and both backward passes. The device work of a step is recorded
// once for each shape of batch, and repeated for every further batch of that shape.
class StepGraphs {
 public:
  // Everything that a recording depends on.
  struct Key {
    StepShape shape;
    int64_t columns = 1;
    int64_t loss = 0;
    double loss_scale = 1;
    auto operator<=>(const Key&) const = default;
  };
  // A step's results on the device. The next repetition of the same recording overwrites them.
  struct Outputs {
    at::Tensor embeddings_RD;
    LossValue value{at::Tensor()};
  };
  // Reads values only from `input` and `given`, not from the batch, and adds to gradients at fixed addresses.
  using Step = std::function<Outputs(const Input& input, const LossTensors& given)>;

  // Number of unrecorded steps of a shape before one is recorded. Shapes that occur once or twice are not worth a
  // recording, and libraries initialise themselves in the first step. When all places are taken, the least recently
  // used recording is dropped.
  static constexpr int64_t kWarmUps = 2;
  static constexpr size_t kMostShapes = 64;

  // The first step creates the recorder and the uploader of a CUDA device.
  explicit StepGraphs(at::Device device) : device_(device) {}
  StepGraphs(at::Device device, std::unique_ptr<Recorder> recorder, std::unique_ptr<Uploader> uploader,
             size_t most_shapes = kMostShapes);

  // Runs a step. `workspace`: the memory that `step` uses; a recording gets its own. A step that cannot be recorded
  // runs unrecorded, now and later. Running out of memory throws.
  Outputs run(const PackedBatch& batch, const DropoutKey& dropout, const Key& key, Workspace& workspace,
              const Step& step);
  // Counts a step that ran without this class.
  void pass_by(const std::string& reason) { ++counts_["eager: " + reason]; }

  // Numbers of steps: "repeated" (including the one right after a recording), "warm-up", "eager: <reason>".
  // "recorded" counts recordings.
  const std::map<std::string, int64_t>& counts() const { return counts_; }

 private:
  struct Shape {
    Shape(const Key& key, at::Device device) : key(key), memory(key.shape, device) {}
    Key key;
    StaticInput memory;
    int64_t seen = 0;
    Rows padded;  // the batch of the recording
    std::unique_ptr<RecordedWork> work;
    Outputs outputs;
    std::string refused;  // the reason why it cannot be recorded
  };
  Shape& shape_of(const Key& key);
  Outputs make(const PackedBatch& batch, Shape& shape, const Step& step);
  void record(const PackedBatch& batch, Shape& shape, Workspace& workspace, const Step& step);

  at::Device device_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Uploader> uploader_;
  size_t most_shapes_ = kMostShapes;
  std::list<Shape> shapes_;  // the most recently used first
  std::map<Key, std::list<Shape>::iterator> by_key_;
  std::map<std::string, int64_t> counts_;
};

// Why a step is not recorded; null if it may be. Everything that differs between batches of one shape must be on the
// device. `fixed`: whether the network accepts an input at a fixed address.
const char* unrecorded(const LossNeeds& needs, const PackedBatch& batch, const StepOptions& options, bool fixed);

}  // namespace st
