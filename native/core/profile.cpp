#include "core/profile.h"

#include <map>
#include <mutex>
#include <string_view>

namespace st {

namespace {

// 32 bytes each, so that a long training does not fill the memory.
constexpr size_t kMaxEvents = 1 << 20;

using Clock = std::chrono::steady_clock;
double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

struct Recorder {
  std::mutex mutex;
  uint32_t runs = 0;
  Clock::time_point start;
  std::map<std::string_view, uint32_t> index;
  Profile profile;
};

Recorder& recorder() {
  // Never destroyed: the executor thread may outlive the static objects of this library.
  static auto* one = new Recorder;
  return *one;
}

std::atomic<uint32_t> threads{0};
thread_local const uint32_t this_thread = threads.fetch_add(1);
thread_local ProfileScope* innermost = nullptr;

}  // namespace

std::atomic<uint32_t> ProfileScope::running_{0};

bool profile_start() {
  Recorder& to = recorder();
  const std::lock_guard lock(to.mutex);
  if (ProfileScope::running_.load() != 0) return false;
  to.profile = {};
  to.index.clear();
  to.start = Clock::now();
  ProfileScope::running_ = ++to.runs;
  return true;
}

Profile profile_stop() {
  Recorder& from = recorder();
  const std::lock_guard lock(from.mutex);
  if (ProfileScope::running_.exchange(0) == 0) return {};
  from.profile.wall_ms = milliseconds(Clock::now() - from.start);
  return std::move(from.profile);
}

void ProfileScope::begin(const char* name, uint32_t run) {
  name_ = name;
  run_ = run;
  outer_ = innermost;
  innermost = this;
  start_ = Clock::now();
}

void ProfileScope::end() {
  const Clock::duration time = Clock::now() - start_;
  innermost = outer_;
  if (outer_ != nullptr) outer_->inside_ += time;
  Recorder& to = recorder();
  const std::lock_guard lock(to.mutex);
  // It began in a profile that has been stopped.
  if (running_.load() != run_) return;
  Profile& profile = to.profile;
  const auto [found, is_new] = to.index.try_emplace(name_, static_cast<uint32_t>(profile.parts.size()));
  if (is_new) profile.parts.push_back({name_});
  Profile::Part& part = profile.parts[found->second];
  ++part.calls;
  part.total_ms += milliseconds(time);
  part.own_ms += milliseconds(time - inside_);
  if (profile.events.size() < kMaxEvents) {
    profile.events.push_back(
        {found->second, this_thread, 1e3 * milliseconds(start_ - to.start), 1e3 * milliseconds(time)});
  } else {
    ++profile.dropped;
  }
}

}  // namespace st
