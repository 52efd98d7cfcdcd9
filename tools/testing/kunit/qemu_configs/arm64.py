# SPDX-License-Identifier: GPL-2.0
"""How kunit.py boots an arm64 kernel for the vmemmap suites.

The kernel is told of the first 480 MiB of the guest's memory alone. The rest
exists and nobody uses it: that is the device memory of the tests. It begins 32 MiB
before the end of a section, whatever the page size, so that one section is boot
memory in part, and is enough for several sections of 512 MiB after that one, which
is what they are with 64K pages.
"""

import os
import platform

from ..qemu_config import QemuArchParams


# The cases touch memory here and there. QEMU would ask for huge pages, and the host clear
# all of each: with 4K pages in the guest QEMU takes 370 MB then, and 130 MB like this.
_RAM = ['-m', '4096', '-object', 'memory-backend-memfd,id=ram,size=4096M,share=on',
        '-machine', 'virt,memory-backend=ram']


def _cpu() -> list[str]:
    """The one asked for, emulated; else KVM where there is any; else one with all features."""
    wanted = os.environ.get('KUNIT_QEMU_CPU')
    if wanted:
        return ['-accel', 'tcg', '-cpu', wanted]
    if platform.machine() == 'aarch64' and os.access('/dev/kvm', os.R_OK | os.W_OK):
        return ['-accel', 'kvm', '-cpu', 'host']
    return ['-cpu', 'max,pauth-impdef=on']


QEMU_ARCH = QemuArchParams(linux_arch='arm64',
                           kconfig='''
CONFIG_SERIAL_AMBA_PL011=y
CONFIG_SERIAL_AMBA_PL011_CONSOLE=y''',
                           qemu_arch='aarch64',
                           kernel_path='arch/arm64/boot/Image',
                           kernel_command_line='console=ttyAMA0 mem=480M '
                                               'vmemmap_kunit.memory=3616M@0x5e000000 '
                                               'memory_hotplug.memmap_on_memory=force',
                           extra_qemu_params=[*_RAM, *_cpu()])
