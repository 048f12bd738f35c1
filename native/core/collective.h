#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace st {

class RankStore;

// How the processes of a training find each other.
struct CollectiveSpec {
  int64_t rank = 0, size = 1;
  std::string host;  // of the store, where they meet
  int64_t port = 0;
  bool hosted = false;  // whether a launcher serves the store; else rank 0 does
  std::string prefix;   // of the store's keys: a restarted training has another one
  // Of the network (eth0). Empty: loopback if the store is there, else the one by which `host` is reached.
  std::string interface;
  double join_seconds = 25;       // until all ranks have to be there
  double timeout_seconds = 1800;  // until a rank that is waited for counts as lost
  double roll_call_seconds = 4;   // for ranks to say that they are alive after one was lost, and at the end
};

// One of `size` processes that compute together. All of them make the same calls in the same order, with tensors of
// the same sizes and types, contiguous and on the CPU, or on the device of on_device(). Every call waits for the
// others: the host for tensors on the CPU, the device's current stream for tensors there. Where one of them ends or
// does not come in time, all others throw ERR_DISTRIBUTED, which names it; then nothing but leave() may follow.
class Collective {
 public:
  // Throws ERR_NOT_IMPLEMENTED where LibTorch has no c10d, and ERR_DISTRIBUTED where ranks do not meet.
  static std::shared_ptr<Collective> join(const CollectiveSpec& spec);
  // The same ranks, whose tensors may be on `device` from now on. All ranks call it, each with a device of its own, or
  // all with the CPU. Throws ERR_DISTRIBUTED where devices do not fit, and ERR_NOT_IMPLEMENTED where this build cannot
  // send from them.
  static std::shared_ptr<Collective> on_device(std::shared_ptr<Collective> ranks, at::Device device);

  virtual ~Collective() = default;
  int64_t rank() const { return rank_; }
  int64_t size() const { return size_; }
  virtual bool takes(at::Device device) const { return device.is_cpu(); }

  using Clock = std::chrono::steady_clock;
  // A sum that is under way.
  class Sum {
   public:
    virtual ~Sum() = default;
    // Waits for it; says when it was done, where the host knows. Before that, nobody else reads or writes the values.
    virtual std::optional<Clock::time_point> wait() = 0;
  };
  // Replaces values by their sums over all ranks: the same bits on every rank.
  void all_reduce(at::Tensor values) { begin_all_reduce(std::move(values))->wait(); }
  // The same beside the caller's work.
  virtual std::unique_ptr<Sum> begin_all_reduce(at::Tensor values) = 0;
  // The tensors of all ranks: [size, ...].
  virtual at::Tensor all_gather(const at::Tensor& own) = 0;
  // Replaces values by those of rank `root`.
  virtual void broadcast(at::Tensor values, int64_t root) = 0;
  virtual void barrier() = 0;
  // Waits until the device has done what it was given. Call it before the host reads results of the device that are to
  // last: where a rank is lost, the device goes on with anything, and this throws.
  virtual void settle() {}
  // Tells the others why this rank ends; empty: it has done its work. Never throws.
  virtual void leave(const std::string& why) = 0;

  // The texts of all ranks, by rank.
  std::vector<std::string> exchange(const std::string& text);
  // The text of rank `root`, on all ranks.
  std::string share(const std::string& text, int64_t root);

 protected:
  Collective(std::shared_ptr<RankStore> store, int64_t rank, int64_t size)
      : store_(std::move(store)), rank_(rank), size_(size) {}
  RankStore& store() const { return *store_; }

 private:
  std::shared_ptr<RankStore> store_;
  int64_t rank_, size_;
};

}  // namespace st
