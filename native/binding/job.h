#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "binding/failure.h"

namespace st::binding {

class Job;

// Who submitted a job, and is told of its end.
class JobOwner {
 public:
  virtual ~JobOwner() = default;
  // On the executor thread, with the executor's mutex held.
  virtual void finished(std::unique_ptr<Job> job) = 0;
};

enum class Lane {
  kBulk,
  kQuery,  // only for jobs that read (JobKind::reads): encoding
};

// What decides when a job runs.
struct JobKind {
  Lane lane = Lane::kBulk;
  // The engine whose weights it reads or changes: the encoder, also for its trainer. Null: it touches no weights.
  const void* engine = nullptr;
  // Whether it only reads the weights, with memory of its own.
  bool reads = false;
  // Whether queries may run inside of it, where it calls yield_here(). Queries do not yield, whatever this says.
  bool yields = false;
  // By which its owner drops it while it waits; 0 = never.
  uint64_t ticket = 0;
};

// Work for the executor thread. `work` runs and is destroyed there, with its captures, and uses no Node-API.
class Job {
 public:
  Job(JobOwner* owner, std::function<void()> work, const JobKind& kind = {})
      : owner_(owner), work_(std::move(work)), kind_(kind) {}
  virtual ~Job() = default;

  JobOwner* owner() const { return owner_; }
  const JobKind& kind() const { return kind_; }
  const std::optional<Failure>& failure() const { return failure_; }

  void run(const std::function<void()>& prepare);
  // What will not run, for the executor thread to destroy.
  std::function<void()> take_work() { return std::exchange(work_, nullptr); }

 private:
  JobOwner* owner_;  // null for releases
  std::function<void()> work_;
  JobKind kind_;
  std::optional<Failure> failure_;
};

}  // namespace st::binding
