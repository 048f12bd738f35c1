#pragma once

#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "core/collective.h"
#include "core/error.h"

namespace c10d {
class Store;
}

namespace st {

// What an exception of c10d says, without the place in its source.
std::string c10d_reason(const std::exception& error);

// Where the ranks of a training meet, and tell each other why they end: a TCPStore of c10d, which rank 0 serves, or a
// launcher.
class RankStore {
 public:
  // Throws ERR_DISTRIBUTED where the store is not reached in time.
  explicit RankStore(const CollectiveSpec& spec);

  // Waits until all ranks are here. Throws ERR_DISTRIBUTED, which names who is missing or what does not fit, on all.
  void arrive();
  // Who is missing. Every rank that has lost the others says so. Who says nothing, or that it ends, is the cause.
  std::string roll_call();
  // Whether a rank has ended before its time, calls the roll, or has taken the store with it. Any thread may ask, also
  // when this object is gone.
  std::function<bool()> trouble() const;
  // See Collective::leave.
  void leave(const std::string& why);
  // The store lives as long as others read it.
  void linger();

  // A call of c10d. Where it fails, throws ERR_DISTRIBUTED, which says who is lost.
  template <typename Call>
  auto guarded(const Call& call) -> decltype(call()) {
    std::string why;
    try {
      return call();
    } catch (const std::exception& error) {
      why = c10d_reason(error);
    }
    lost(why);
  }
  [[noreturn]] void lost(const std::string& why);
  // Throws where the others were lost before.
  void check_whole() const {
    check(!is_broken_, "ERR_DISTRIBUTED", "Rank ", spec_.rank, " of ", spec_.size, " has lost the others");
  }

  const c10::intrusive_ptr<c10d::Store>& store() const;
  const CollectiveSpec& spec() const { return spec_; }
  // What is left of the time to join in, and a little more for whoever came late.
  std::chrono::milliseconds left_to_join() const;

 private:
  struct State;

  CollectiveSpec spec_;
  std::chrono::steady_clock::time_point deadline_;  // of joining
  std::shared_ptr<State> state_;
  bool has_left_ = false, is_broken_ = false;
};

}  // namespace st
