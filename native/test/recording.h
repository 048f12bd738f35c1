#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "ops/graph.h"

// A recorder that keeps the work instead of what it queues, for tests on the CPU.
namespace st::test {

struct RecordingLog {
  int warm_ups = 0, recorded = 0, dropped = 0;
  std::vector<uint64_t> seeds;
  std::function<void()> on_record;  // before the work
};

// Work that is done when it is recorded, so that it leaves something, and for that not in the repetition that follows.
class KeptWork : public RecordedWork {
 public:
  KeptWork(RecordingLog& log, std::function<void()> work) : log_(log), work_(std::move(work)) {}
  ~KeptWork() override { ++log_.dropped; }
  void replay(uint64_t seed) override {
    log_.seeds.push_back(seed);
    if (!std::exchange(fresh_, false)) work_();
  }

 private:
  RecordingLog& log_;
  std::function<void()> work_;
  bool fresh_ = true;
};

class KeepingRecorder : public Recorder {
 public:
  explicit KeepingRecorder(RecordingLog& log) : log_(log) {}
  void warm_up(const std::function<void()>& work) override {
    ++log_.warm_ups;
    work();
  }
  std::unique_ptr<RecordedWork> record(const std::function<void()>& work) override {
    if (log_.on_record) log_.on_record();
    work();
    ++log_.recorded;
    return std::make_unique<KeptWork>(log_, work);
  }

 private:
  RecordingLog& log_;
};

class PlainUploader : public Uploader {
 public:
  int32_t* memory(int64_t words) override {
    memory_.assign(static_cast<size_t>(words), -1);
    return memory_.data();
  }
  void send(at::Tensor to) override {
    ASSERT_EQ(to.numel(), static_cast<int64_t>(memory_.size()));
    std::memcpy(to.data_ptr<int32_t>(), memory_.data(), memory_.size() * sizeof(int32_t));
    memory_.clear();
  }

 private:
  std::vector<int32_t> memory_;
};

}  // namespace st::test
