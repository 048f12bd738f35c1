#include "engine/step_graph.h"

#include <c10/util/Exception.h>

#include <utility>

#include "core/profile.h"
#include "core/yield.h"
#include "ops/cuda.h"

namespace st {

StepGraphs::StepGraphs(at::Device device, std::unique_ptr<Recorder> recorder, std::unique_ptr<Uploader> uploader,
                       size_t most_shapes)
    : device_(device), recorder_(std::move(recorder)), uploader_(std::move(uploader)), most_shapes_(most_shapes) {}

StepGraphs::Shape& StepGraphs::shape_of(const Key& key) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    shapes_.splice(shapes_.begin(), shapes_, found->second);
  } else {
    if (shapes_.size() == most_shapes_) {
      by_key_.erase(shapes_.back().key);
      shapes_.pop_back();
    }
    shapes_.emplace_front(key, device_);
    by_key_[key] = shapes_.begin();
  }
  return shapes_.front();
}

StepGraphs::Outputs StepGraphs::run(const PackedBatch& batch, const DropoutKey& dropout, const Key& key,
                                    Workspace& workspace, const Step& step) {
  const NoYields recording;
  if (recorder_ == nullptr) {
    recorder_ = cuda::make_recorder(device_);
    uploader_ = cuda::make_uploader(device_);
  }
  Shape& shape = shape_of(key);
  shape.memory.fill(batch, dropout, uploader_->memory(shape.memory.words()));
  uploader_->send(shape.memory.buffer());
  if (shape.seen < kWarmUps) {
    ++shape.seen;
    ++counts_["warm-up"];
    return make(batch, shape, step);
  }
  if (shape.work == nullptr && shape.refused.empty()) record(batch, shape, workspace, step);
  if (shape.work == nullptr) {
    pass_by(shape.refused);
    return make(batch, shape, step);
  }
  const ProfileScope scope("recorded step");
  shape.work->replay(dropout.key);
  ++counts_["repeated"];
  return shape.outputs;
}

namespace {

LossTensors loss_tensors(const StaticInput& memory) {
  return {memory.labels(), memory.guide_RG(), memory.text_ids_R()};
}

}  // namespace

StepGraphs::Outputs StepGraphs::make(const PackedBatch& batch, Shape& shape, const Step& step) {
  const Rows all = padded(batch, shape.key.shape.bucket);
  const Input input = shape.memory.input(all);
  Outputs out;
  recorder_->warm_up([&] { out = step(input, loss_tensors(shape.memory)); });
  return out;
}

void StepGraphs::record(const PackedBatch& batch, Shape& shape, Workspace& workspace, const Step& step) {
  const ProfileScope scope("recording of a step");
  shape.padded = padded(batch, shape.key.shape.bucket);
  // Created inside the recording, so that its memory belongs to the recording.
  Workspace own(device_);
  std::swap(workspace, own);
  try {
    shape.work = recorder_->record(
        [&shape, step] { shape.outputs = step(shape.memory.input(shape.padded), loss_tensors(shape.memory)); });
    ++counts_["recorded"];
  } catch (const c10::OutOfMemoryError&) {
    std::swap(workspace, own);
    shape.outputs = {};
    throw;
  } catch (const c10::Error& error) {
    shape.refused = error.what_without_backtrace();
  } catch (const std::exception& error) {
    shape.refused = error.what();
  }
  std::swap(workspace, own);
  if (shape.work == nullptr) shape.outputs = {};
}

const char* unrecorded(const LossNeeds& needs, const PackedBatch& batch, const StepOptions& options, bool fixed) {
  if (options.mini_batch_rows > 0 || options.mini_batch_tokens > 0) return "the batch passes in chunks";
  if (needs.twin) return "the loss trains a twin of the encoder";
  if (needs.tokens || needs.encoder) return "the loss reads the states of tokens or the encoder's parameters";
  if (needs.external || !needs.capturable || !batch.lists.empty()) return "the loss works on the host";
  if (!fixed) return "activations are computed again, or pooling takes a maximum";
  return nullptr;
}

}  // namespace st
